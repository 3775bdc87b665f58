"""What the cells of one column prove about how it is written, counted chunk by chunk. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from imports.check.characters import visible
from imports.issues import SHOWN_CHARACTERS

_SLASHED = r"^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}(?: .*)?$"
_FIRST, _SECOND = r"^([0-9]{1,2})/", r"^[0-9]{1,2}/([0-9]{1,2})/"
_MOST_MONTHS, _MOST_DAYS = 12, 31
_COMMA_DECIMALS = (
    r"^-?(?:[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})|[0-9]{4,},[0-9]+|0,[0-9]+"
    r"|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+|[0-9]{1,3}(?:\.[0-9]{3}){2,})$"
)
_POINT_DECIMALS = (
    r"^-?(?:[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})|[0-9]{4,}\.[0-9]+|0\.[0-9]+"
    r"|[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+|[0-9]{1,3}(?:,[0-9]{3}){2,})$"
)
_EITHER = r"^-?[1-9][0-9]{0,2},[0-9]{3}$"
_OUTWEIGHS = 100

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Cells:
    """How many cells of a kind, and the first of them with its line."""

    count: int = 0
    text: str = ""
    line: int = 0

    def add(self, texts: pl.Series, lines: Ints, chosen: pl.Series) -> None:
        at = chosen.fill_null(False).arg_true()
        if at.len() and not self.count:
            self.text = visible(str(texts[int(at[0])])[:SHOWN_CHARACTERS])
            self.line = int(lines[int(at[0])])
        self.count += at.len()

    @property
    def shown(self) -> str:
        return f'"{self.text}" on line {self.line:,}'


@dataclass(slots=True)
class Proofs:
    """What a column's cells prove. usual: as the dictionary writes. other: otherwise. either: not
    to be told."""

    column: str
    dates: bool
    usual: Cells = field(default_factory=Cells)
    other: Cells = field(default_factory=Cells)
    either: Cells = field(default_factory=Cells)

    def add(self, texts: pl.Series, lines: Ints) -> None:
        sort = _dates if self.dates else _numbers
        usual, other, either = sort(texts)
        self.usual.add(texts, lines, usual)
        self.other.add(texts, lines, other)
        self.either.add(texts, lines, either)

    @property
    def contradict(self) -> bool:
        few, many = sorted((self.usual.count, self.other.count))
        return few > 0 and few * _OUTWEIGHS > many

    @property
    def proven(self) -> bool | None:
        """Whether the column is written otherwise than the dictionary; None without a proof."""
        if self.contradict or not (self.usual.count or self.other.count):
            return None
        return self.other.count > self.usual.count


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the whole file proves about its columns, by position."""

    proofs: Mapping[int, Proofs]

    @property
    def proven(self) -> dict[str, bool]:
        """By the column's name: whether it is proven to have the day first, or decimal commas."""
        every = self.proofs.values()
        return {each.column: bool(each.proven) for each in every if each.proven is not None}


def _dates(texts: pl.Series) -> Iterator[pl.Series]:
    """Where the month surely comes first, where the day does, and where either may."""
    slashed = pl.DataFrame({"t": texts}).select(
        t=pl.when(pl.col("t").str.contains(_SLASHED)).then("t")
    )["t"]
    if slashed.null_count() == slashed.len():
        nothing = pl.zeros(texts.len(), pl.Boolean, eager=True)
        yield from (nothing, nothing, nothing)
        return
    first = slashed.str.extract(_FIRST).cast(pl.Int16)
    second = slashed.str.extract(_SECOND).cast(pl.Int16)
    months = (first <= _MOST_MONTHS, second <= _MOST_MONTHS)
    yield months[0] & ~months[1] & (second <= _MOST_DAYS)
    yield ~months[0] & (first <= _MOST_DAYS) & months[1]
    yield months[0] & months[1] & (first != second)


def _numbers(texts: pl.Series) -> Iterator[pl.Series]:
    """Where the point is surely the decimal sign, where the comma is, and where either may be."""
    yield texts.str.contains(_POINT_DECIMALS)
    yield texts.str.contains(_COMMA_DECIMALS)
    yield texts.str.contains(_EITHER)
