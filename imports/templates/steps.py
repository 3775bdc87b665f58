"""The steps that make one text out of a file's cells, as plain data. Pure.

Each step is one key in the spec: `{trim: true}`, `{case: upper}` ... (issue 3). Their effect is
in `transforms.py`, what may be written in `step_parsing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Join:
    """The columns that are not blank, with a text between them."""

    between: str


@dataclass(frozen=True, slots=True)
class FirstNonBlank:
    """The first column that is not blank."""


@dataclass(frozen=True, slots=True)
class Trim:
    """No white space around, one blank for each stretch of it inside."""


@dataclass(frozen=True, slots=True)
class Case:
    """to: "upper", "lower" or "title"."""

    to: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Every occurrence. find: a text, or an expression of Rust's regex; then `by` may hold ${1}."""

    find: str
    by: str
    regex: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """One of the parts between a text. part: from 1, or from -1 for the last."""

    on: str
    part: int


@dataclass(frozen=True, slots=True)
class Part:
    """Some characters. start: from 1. length: None for all that follow."""

    start: int
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Pad:
    """Filled up to a width. side: "left" or "right", where it is filled."""

    width: int
    fill: str = "0"
    side: str = "left"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as people of some country write it, to 1234.5. thousands: "" for none."""

    decimal: str = "."
    thousands: str = ","


@dataclass(frozen=True, slots=True)
class Date:
    """A date in one of the formats (strftime's), to 2026-08-24 or 2026-08-24T17:00:00."""

    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """Values to others. other: what becomes of the rest, "keep", "blank" or "reject"."""

    values: Mapping[str, str]
    other: str = "reject"


@dataclass(frozen=True, slots=True)
class Lookup:
    """As Map, by a table of the tenant."""

    table: str
    other: str = "reject"


Step: TypeAlias = (
    Join | FirstNonBlank | Trim | Case | Replace | Split | Part | Pad | Number | Date | Map | Lookup
)
JOINING = (Join, FirstNonBlank)
