"""A delimiter too many in the middle of a row, whose last cell is blank: it looks like padding.

`1,Ann,,Lee,a@x.org,` under `Id,First,Last,Mail,Note` has a blank cell too many at its end, but its
values stand one column too far right. What the first rows have in each column shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from imports.scan import cells
from imports.scan.quotes import Ints
from imports.scan.verdicts import GOOD, Examined, raw_of

_LEARNT = 20  # rows
_ENOUGH = 5
_JUDGED = 2_000  # rows with padding of which none was shifted: then padding is usual
_BLANK = ""


@dataclass(slots=True)
class UsualRow:
    """What the first rows of a file have in each column; grows until there are enough of them.

    kinds: of each column's cells, "" for blank ones. padded: these rows have padding themselves.
    judged: rows that were looked at without any shifted one.
    """

    kinds: list[set[str]] = field(default_factory=list)
    count: int = 0
    padded: bool = False
    judged: int = 0

    def shifted(self, examined: Examined, padded: Ints) -> list[int]:
        """Those of the padded rows whose values stand in other columns than usual."""
        rows: list[int] = []
        at = 0
        for index in padded.tolist():
            self._learn(examined, at, index)
            at = index + 1
            if self.padded or self.judged >= _JUDGED:
                return rows
            if self.count < _ENOUGH:
                self.padded = True
            elif self._is_shifted(_values(examined, index), examined.columns):
                rows.append(index)
            else:
                self.judged += not rows
        self._learn(examined, at, examined.codes.size)
        return rows

    def _learn(self, examined: Examined, low: int, high: int) -> None:
        if self.count >= _LEARNT:
            return
        good = low + np.flatnonzero(examined.codes[low:high] == GOOD)
        for index in good[: _LEARNT - self.count].tolist():
            values = _values(examined, index)
            self.kinds = self.kinds or [set() for _ in values]
            for kinds, value in zip(self.kinds, values, strict=False):
                kinds.add(_kind(value))
            self.count += 1

    def _is_shifted(self, values: Sequence[str], columns: int) -> bool:
        """Whether the row fits without a blank cell in its middle, and does not as it is."""
        if self._fits(values[:columns]):
            return False
        return any(map(self._fits, _without_a_blank(values[: columns + 1])))

    def _fits(self, values: Sequence[str]) -> bool:
        pairs = zip(map(_kind, values), self.kinds, strict=False)
        return all(kind in usual or kind == _BLANK for kind, usual in pairs)


def _without_a_blank(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for at, value in enumerate(values[:-1]):
        if not value.strip():
            yield [*values[:at], *values[at + 1 :]]


def _values(examined: Examined, index: int) -> list[str]:
    text = raw_of(examined, index).decode("utf-8", "replace")
    return cells.split(text, examined.delimiter, examined.quote)


def _kind(value: str) -> str:
    value = value.strip()
    if not value or "@" in value:
        return value and "@"
    return "9" if any(sign.isdigit() for sign in value) else "a"
