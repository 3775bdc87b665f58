"""An import template's spec as plain data: what `parsing.parse` makes of JSON or YAML. Pure.

Source: seed 003 (import templates); each attribute says what its part means.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from imports.mapping.steps import Step
from portal.faults import Fault, Refused
from portal.records.definitions import FieldType, Operation

VERSION = 1
AUTO = "auto"
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252", "mac-roman", "cp850", "cp437")
DELIMITERS: Mapping[str, str] = MappingProxyType(
    {",": ",", ";": ";", "tab": "\t", "|": "|", "space": " ", ":": ":", "^": "^", "~": "~"}
)
QUOTES: Mapping[str, str] = MappingProxyType({'"': '"', "'": "'", "none": ""})
MEASURES = (
    "creates",
    "updates",
    "removes",
    "rejects",
    "size_change",
    "key_churn",
    "same_field",
    "reused_keys",
    "lost_zeros",
)

Limits = Mapping[str, int | str]


class BlankRule(enum.StrEnum):
    """What a blank cell of an optional field means."""

    KEEP = "keep"
    CLEAR = "clear"
    DEFAULT = "default"


class Unknown(enum.StrEnum):
    """The effect on the file of a column that the template does not have."""

    IGNORE = "ignore"
    WARN = "warn"
    HOLD = "hold"


class Missing(enum.StrEnum):
    """The effect on the file of a column that it lacks."""

    SUGGEST = "suggest"  # the file is refused, with what is near
    HOLD = "hold"  # the file waits for a person


class BadSpec(Refused):
    """A spec that cannot be used. Each fault says what was found and what was expected there."""

    @property
    def sentences(self) -> list[str]:
        """Each fault as "path: what was found, what was expected"; positions from 1."""
        return [_placed(fault) for fault in self.faults]

    def __str__(self) -> str:
        return "; ".join(self.sentences)


def _placed(fault: Fault) -> str:
    counted = (step + 1 if isinstance(step, int) else step for step in fault.path)
    where = replace(fault, path=tuple(counted)).where
    return f"{where}: {fault}" if where else str(fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How the file is written; "auto" is detected. The attributes have the values of the spec.

    header_row: which record after the skipped lines names the columns, blank ones not counted;
    0 where none does. skip_rows: lines at the top. skip_last: so many records at the end may be
    left out because they have no key; recognised footers are left out anyway. sheet: of a
    spreadsheet, by name or by number from 1; None for the first.
    """

    encoding: str = AUTO
    delimiter: str = AUTO
    quote: str = '"'
    header_row: int = 1
    skip_rows: int = 0
    skip_last: int = 0
    sheet: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """Where one field's value comes from: columns by name and steps, or a constant.

    default: the value of a cell that is blank in the end.
    """

    columns: tuple[str, ...] = ()
    constant: str | None = None
    default: str | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnField:
    """A field that the tenant adds to the record type, stored in the document under its name."""

    name: str
    type: FieldType = FieldType.TEXT
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPer:
    """Limits for each value of one field, such as school."""

    field: str
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effect of the file on the store. operation, blank: None for the feed's.

    absent_scope: a mirror only removes records whose value of that field occurs in the file.
    keep_days: days that files are kept; None for the installation's.
    """

    operation: Operation | None = None
    absent_scope: str | None = None
    blank: BlankRule | None = None
    unknown_columns: Unknown = Unknown.WARN
    missing_columns: Missing = Missing.SUGGEST
    limits: Limits = field(default_factory=lambda: MappingProxyType({}))
    limits_per: LimitsPer | None = None
    mail: bool = False
    keep_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One version of a template. columns: the header of the sample, in order."""

    columns: tuple[str, ...]
    fields: Mapping[str, FieldSpec]
    reading: ReadingOptions = ReadingOptions()
    own_fields: tuple[OwnField, ...] = ()
    settings: Settings = field(default_factory=Settings)
    version: int = VERSION
