"""Rules across the rows: duplicate keys, references inside the file, one-of-a-kind, no cycles.

Pure over compact arrays gathered while the file was read: eight bytes a key and four a line, so a
file of five million rows stays small. Rows found wrong here were accepted by their own cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from imports.issues import Code
from imports.validation import ReferenceSet

Ints = npt.NDArray[np.int64]
_PARTITIONS = 16


@dataclass(slots=True)
class LateBatch:
    """Rows rejected for one cause. other: per row a number that the message's {other} names."""

    code: Code
    column: str | None
    message: str
    lines: Ints
    other: Ints

    def sentence(self, position: int) -> str:
        return self.message.replace("{other}", f"{int(self.other[position]):,}")


@dataclass(slots=True)
class Gathered:
    """What the reading kept of each accepted row, chunk by chunk."""

    keys: list[Ints] = field(default_factory=list)
    lines: list[npt.NDArray[np.int32]] = field(default_factory=list)
    own: dict[str, list[Ints]] = field(default_factory=dict)
    only: dict[str, list[Ints]] = field(default_factory=dict)

    def add(self, good: pl.DataFrame) -> None:
        """Keep the numbers of a chunk's accepted rows (columns as in `imports.validation`)."""
        lines = good["line"].to_numpy()
        self.keys.append(good["key_hash"].to_numpy())
        self.lines.append(lines.astype(np.int32))
        for name in good.columns:
            kind, _, of = name.partition(":")
            if kind == "self":
                self.own.setdefault(of, []).append(good[name].fill_null(0).to_numpy())
            elif kind == "only":
                self.only.setdefault(of, []).append(lines[good[name].fill_null(False).to_numpy()])

    def has(self, lines: Ints) -> npt.NDArray[np.bool_]:
        """Which of the lines are of accepted rows."""
        found = np.zeros(lines.size, dtype=bool)
        for part in self.lines:  # one by one: all together would double what they take
            found |= np.isin(lines, part)
        return found

    def joined(self) -> tuple[Ints, Ints]:
        """All keys and lines, in the file's order."""
        if not self.keys:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return np.concatenate(self.keys), np.concatenate(self.lines).astype(np.int64)


def duplicates(gathered: Gathered, columns: Sequence[str]) -> LateBatch | None:
    """Second and later rows of a key within the file; the first one stands."""
    lines, first = _repeated(gathered)
    if not lines.size:
        return None
    named = " and ".join(columns)
    message = (
        f"The same {named} stands on line {{other}} already. "
        "Keep one of the two rows; the first one was taken."
    )
    return LateBatch(Code.DUPLICATE_KEY, columns[0], message, lines, first)


def _repeated(gathered: Gathered) -> tuple[Ints, Ints]:
    """Lines of repeated keys and the line of each key's first row, in partitions of the hash."""
    found: list[tuple[Ints, Ints]] = []
    for part in range(_PARTITIONS):
        keys, lines = _partition(gathered, part)
        order = np.argsort(keys, kind="stable")
        keys, lines = keys[order], lines[order]
        again = np.zeros(keys.size, dtype=bool)
        again[1:] = keys[1:] == keys[:-1]
        starts = np.maximum.accumulate(np.where(again, 0, np.arange(keys.size)))
        found.append((lines[again], lines[starts[again]]))
    lines = np.concatenate([pair[0] for pair in found])
    first = np.concatenate([pair[1] for pair in found])
    order = np.argsort(lines)
    return lines[order], first[order]


def _partition(gathered: Gathered, part: int) -> tuple[Ints, Ints]:
    masks = [(keys & (_PARTITIONS - 1)) == part for keys in gathered.keys]
    keys = [k[m] for k, m in zip(gathered.keys, masks, strict=True)]
    lines = [rows[m] for rows, m in zip(gathered.lines, masks, strict=True)]
    if not keys:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(keys), np.concatenate(lines).astype(np.int64)


def unknown_own(
    gathered: Gathered, column: str, label: str, stored: ReferenceSet, rejected: Ints
) -> LateBatch | None:
    """Rows whose reference to their own type is neither in the store nor an accepted row.

    A row whose parent is rejected is rejected too, down the whole chain.
    """
    keys, lines = gathered.joined()
    parents = np.concatenate(gathered.own[column]) if column in gathered.own else None
    if parents is None:
        return None
    standing = ~np.isin(lines, rejected)
    wants = (parents != 0) & stored.missing(pl.Series(parents))
    while True:
        lost = standing & wants & ~np.isin(parents, keys[standing])
        if not lost.any():
            break
        standing &= ~lost
    bad = wants & ~standing & ~np.isin(lines, rejected)
    if not bad.any():
        return None
    message = (
        f'"{column}" refers to {label}: no accepted row of this file and no stored record has that '
        "identifier. Add the missing row, or correct the value."
    )
    return LateBatch(Code.UNKNOWN_REFERENCE, column, message, lines[bad], lines[bad])


def cycles(
    gathered: Gathered, column: str, stored: dict[int, int], rejected: Ints
) -> LateBatch | None:
    """Rows that would be their own ancestor. stored: key hash → parent hash of the store's rows."""
    if column not in gathered.own:
        return None
    keys, lines = gathered.joined()
    parents = np.concatenate(gathered.own[column])
    standing = ~np.isin(lines, rejected)
    tree = dict(stored)
    tree.update(zip(keys[standing].tolist(), parents[standing].tolist(), strict=True))
    looped = set(_looped(tree))
    bad = standing & np.isin(keys, np.fromiter(looped, np.int64, len(looped)))
    if not bad.any():
        return None
    message = (
        f"Following {column} upwards comes back to this row. Give one row of the circle "
        "another parent."
    )
    return LateBatch(Code.CYCLE, column, message, lines[bad], lines[bad])


def _looped(tree: dict[int, int]) -> Iterator[int]:
    """Nodes that stand on a cycle of a parent map (0 is no parent)."""
    safe: set[int] = set()
    for start in tree:
        path: dict[int, None] = {}
        node = start
        while node and node in tree and node not in safe and node not in path:
            path[node] = None
            node = tree[node]
        if node in path:
            chain = list(path)
            yield from chain[chain.index(node) :]
        safe.update(path)


def more_than_one(
    gathered: Gathered, column: str, value: str, taken: bool, rejected: Ints
) -> LateBatch | None:
    """Rows beyond the one that may have the value. taken: another stored record has it already."""
    lines = np.concatenate(gathered.only.get(column, [np.empty(0, np.int64)]))
    lines = lines[~np.isin(lines, rejected)]
    extra = lines if taken else lines[1:]
    if not extra.size:
        return None
    where = "a record of the portal" if taken else "line {other}"
    message = (
        f"Only one row may have {value} as its {column}; {where} has it already. "
        "Correct one of the two."
    )
    first = np.full(extra.size, lines[0], dtype=np.int64)
    return LateBatch(Code.ONLY_ONE, column, message, extra, first)
