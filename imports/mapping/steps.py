"""The steps that make one text out of a file's cells, as plain data. Pure.

Each step is one key in the spec: `{trim: true}`, `{case: upper}` ... (issue 3). Their effect is
in `transforms.py`, what may be written in `step_parsing.py`. `as_json` is a step as the spec
writes it, `words` its effect in a few words for a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

_NAMED = 5
_OTHER = MappingProxyType(
    {"keep": "the rest as it is", "blank": "the rest blank", "reject": "the rest rejected"}
)

Written: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Join:
    """The columns that are not blank, with a text between them."""

    between: str

    def as_json(self) -> Written:
        return {"join": self.between}

    def words(self) -> str:
        return f'joined with "{self.between}"'


@dataclass(frozen=True, slots=True)
class FirstNonBlank:
    """The first column that is not blank."""

    def as_json(self) -> Written:
        return {"first_non_blank": True}

    def words(self) -> str:
        return "the first that is not blank"


@dataclass(frozen=True, slots=True)
class Trim:
    """No white space around, one blank for each stretch of it inside."""

    def as_json(self) -> Written:
        return {"trim": True}

    def words(self) -> str:
        return "trimmed"


@dataclass(frozen=True, slots=True)
class Case:
    """to: "upper", "lower" or "title"."""

    to: str

    def as_json(self) -> Written:
        return {"case": self.to}

    def words(self) -> str:
        return f"{self.to} case"


@dataclass(frozen=True, slots=True)
class Replace:
    """Every occurrence. find: a text, or an expression of Rust's regex; then `by` may hold ${1}."""

    find: str
    by: str
    regex: bool = False

    def as_json(self) -> Written:
        return {"replace": {"find": self.find, "with": self.by, "regex": self.regex}}

    def words(self) -> str:
        kind = "the expression " if self.regex else ""
        return f'{kind}"{self.find}" replaced by "{self.by}"'


@dataclass(frozen=True, slots=True)
class Split:
    """One of the parts between a text. part: from 1, or from -1 for the last."""

    on: str
    part: int

    def as_json(self) -> Written:
        return {"split": {"on": self.on, "part": self.part}}

    def words(self) -> str:
        place = f"{self.part}" if self.part > 0 else f"{-self.part} from the end"
        return f'part {place} between "{self.on}"'


@dataclass(frozen=True, slots=True)
class CellPart:
    """Some characters. start: from 1. length: None for all that follow."""

    start: int
    length: int | None = None

    def as_json(self) -> Written:
        length = {} if self.length is None else {"length": self.length}
        return {"part": {"from": self.start, **length}}

    def words(self) -> str:
        if self.length is None:
            return f"characters from {self.start} on"
        return f"{self.length} characters from {self.start} on"


@dataclass(frozen=True, slots=True)
class Pad:
    """Filled up to a width. side: "left" or "right", where the filling is."""

    width: int
    fill: str = "0"
    side: str = "left"

    def as_json(self) -> Written:
        return {"pad": {"width": self.width, "with": self.fill, "side": self.side}}

    def words(self) -> str:
        return f'filled with "{self.fill}" to {self.width} characters on the {self.side}'


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a local notation, to 1234.5. thousands: the separator, "" for none."""

    decimal: str = "."
    thousands: str = ","

    def as_json(self) -> Written:
        return {"number": {"decimal": self.decimal, "thousands": self.thousands}}

    def words(self) -> str:
        return f'number with decimal "{self.decimal}" and thousands "{self.thousands}"'


@dataclass(frozen=True, slots=True)
class Date:
    """A date in one of the formats (strftime's), to 2026-08-24 or 2026-08-24T17:00:00."""

    formats: tuple[str, ...]

    def as_json(self) -> Written:
        return {"date": {"formats": list(self.formats)}}

    def words(self) -> str:
        return f"date as {' or '.join(self.formats)}"


@dataclass(frozen=True, slots=True)
class Map:
    """Values to other values. other: the effect on any other value: "keep", "blank", "reject"."""

    values: Mapping[str, str]
    other: str = "reject"

    def as_json(self) -> Written:
        return {"map": {"values": dict(self.values), "other": self.other}}

    def words(self) -> str:
        pairs = [f'"{key}" is "{value}"' for key, value in list(self.values.items())[:_NAMED]]
        more = len(self.values) - _NAMED
        named = ", ".join([*pairs, f"{more} more"] if more > 0 else pairs)
        return f"values: {named}; {_OTHER[self.other]}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """Keys to values by a look-up table of the tenant (`tables.py`), with or without case.

    column: the column of the values; None for the first after the key. other: as in Map, or
    "default": a key that the table does not have gets `default`.
    """

    table: str
    other: str = "reject"
    column: str | None = None
    default: str | None = None

    def as_json(self) -> Written:
        given = {"table": self.table, "column": self.column, "other": self.other}
        given["default"] = self.default
        return {"lookup": {name: value for name, value in given.items() if value is not None}}

    def words(self) -> str:
        column = "" if self.column is None else f', column "{self.column}"'
        rest = f'the rest "{self.default}"' if self.other == "default" else _OTHER[self.other]
        return f'looked up in "{self.table}"{column}; {rest}'


Step: TypeAlias = (
    Join
    | FirstNonBlank
    | Trim
    | Case
    | Replace
    | Split
    | CellPart
    | Pad
    | Number
    | Date
    | Map
    | Lookup
)
JOINING = (Join, FirstNonBlank)
