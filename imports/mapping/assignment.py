"""The best one-to-one assignment: the pairs whose weights add up to the most. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]


def assign(weights: Weights) -> list[tuple[int, int]]:
    """Pairs (row, column) of the best total; weights are not negative, pairs of weight 0 left out.

    The Hungarian method with potentials (Kuhn 1955, Munkres 1957), O(n² m).
    """
    rows, columns = np.flatnonzero(weights.any(axis=1)), np.flatnonzero(weights.any(axis=0))
    if not rows.size:
        return []
    cost = -weights[np.ix_(rows, columns)]
    turned = rows.size > columns.size
    chosen = _smallest(cost.T if turned else cost)
    pairs = [(c, r) if turned else (r, c) for r, c in enumerate(chosen)]
    placed = sorted((int(rows[r]), int(columns[c])) for r, c in pairs)
    return [(r, c) for r, c in placed if weights[r, c] > 0]


def _smallest(cost: Weights) -> list[int]:
    """The column of each row, at the smallest total cost; no more rows than columns."""
    height, width = cost.shape
    of_row, of_column = np.zeros(height + 1), np.zeros(width + 1)
    owner = np.full(width + 1, -1)  # the row that has each column; the last is a way in
    for row in range(height):
        owner[width] = row
        _augment(cost, of_row, of_column, owner)
    chosen = [0] * height
    for column in range(width):
        if owner[column] >= 0:
            chosen[owner[column]] = column
    return chosen


def _augment(cost: Weights, of_row: Weights, of_column: Weights, owner: NDArray[np.int64]) -> None:
    """Give the row at the way in a column, moving others along the cheapest path."""
    width = cost.shape[1]
    slack, via = np.full(width, np.inf), np.full(width, -1)
    done = np.zeros(width + 1, dtype=bool)
    at = width
    while owner[at] >= 0:
        done[at] = True
        row = owner[at]
        reduced = cost[row] - of_row[row] - of_column[:width]
        better = ~done[:width] & (reduced < slack)
        slack[better], via[better] = reduced[better], at
        after = int(np.argmin(np.where(done[:width], np.inf, slack)))
        step = slack[after]
        of_row[owner[done]] += step
        of_column[done] -= step
        slack[~done[:width]] -= step
        at = after
    while at != width:
        owner[at] = owner[via[at]]
        at = via[at]
