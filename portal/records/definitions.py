"""Record types and feeds as plain data, as the packs declare them and the import engine uses them.

Pure: no Django, no database. A *record type* is a target of the store with its fields and rules.
A *feed* is a record type plus an operation (design.md section 7). Both come from packs (YAML).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class FieldType(enum.StrEnum):
    """How a cell is read. The accepted spellings of each are in `imports/check/fields.py`."""

    TEXT = "text"
    EMAIL = "email"
    ENUM = "enum"
    INTEGER = "integer"
    NUMBER = "number"
    CREDIT = "credit"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CIP = "cip"
    ZIP = "zip"
    GUID = "guid"
    OBJECT = "object"


class Blank(enum.StrEnum):
    """What an empty cell of an optional field does to a record that exists already."""

    KEEP = "keep"
    CLEAR = "clear"


class Operation(enum.StrEnum):
    """What a row does to the store."""

    UPSERT = "upsert"
    ADD_ONLY = (
        "add_only"  # an existing key is left unchanged without an issue (strictly additive feeds)
    )
    UPDATE_ONLY = "update_only"  # a key that does not exist is an issue
    REMOVE = "remove"  # a key that does not exist is an issue
    MIRROR = "mirror"  # upsert, and what the file does not name is removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a record type.

    name: the header as the dictionary spells it. aliases: older or other spellings of the header.
    required: the cell may not be blank. header_required: the column must be there (implied by
    required). max_length: characters, inclusive. values: the canonical spellings of an enum,
    compared without case; value_aliases: other accepted spellings (folded) to canonical ones.
    references: name of the record type whose key the value must be. many: a list of values in one
    cell, separated by comma, semicolon or bar. blank: overrides the feed's rule. sample: a value
    for template files and documentation. pattern_words: the form that `pattern` asks for, a
    sentence for senders. day_first, decimal_comma: how 02/01/2027 and 1,250 are read; None where
    the column contradicts itself, and what can be read in two ways cannot be read.
    """

    name: str
    type: FieldType = FieldType.TEXT
    label: str = ""
    required: bool = False
    header_required: bool = False
    max_length: int | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    value_aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    aliases: tuple[str, ...] = ()
    references: str | None = None
    many: bool = False
    blank: Blank | None = None
    sample: str = ""
    description: str = ""
    pattern_words: str = field(default="", repr=False)
    day_first: bool | None = field(default=False, repr=False)
    decimal_comma: bool | None = field(default=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule across the cells of one row, or across the rows of a type.

    kind:
      differs        `field` must not equal `other` (case ignored)
      not_after      `field` must not be later or larger than `other`
      required_unless  `field` may only be blank where `other` has one of `values`
      blank_when     `field` must be blank where `other` has one of `values`
      only_one       at most one active record of the type has one of `values` in `field`
      tree           `field` names the parent's key; no cycle may arise
      within_parent  `field` names the parent's key; `values` are the two fields, from and to, which
                     must lie inside those of the parent
    severity: "error" rejects the row, "warning" only adds an issue.
    """

    kind: str
    field: str
    other: str | None = None
    values: tuple[str, ...] = ()
    severity: str = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """A kind of records in the store. key: names of the fields that identify a record, in order.

    fold_key: keys (and references to them) compare without case. rank: types with a smaller rank
    are imported first when their files arrive together. title: fields shown first in lists.
    """

    name: str
    pack: str
    label: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...] = ()
    fold_key: bool = True
    rank: int = 0
    title: tuple[str, ...] = ()
    description: str = ""
    version: int = 1

    def field(self, name: str) -> Field:
        """The field of that exact name. Raises KeyError."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    @property
    def references(self) -> frozenset[str]:
        """Names of the record types that this one refers to, itself included where it does."""
        return frozenset(f.references for f in self.fields if f.references)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOperation:
    """A column that says per row what to do. values: folded cell -> operation; blank: default."""

    column: str
    values: Mapping[str, Operation]
    blank: Operation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A record type, what its file does, and where the file is dropped.

    folders: the drop folders, the first is made by the portal, the others are accepted as
    other spellings. columns: field names the feed knows, empty for all of the type's; the row
    operation's column may stand among them, which gives it its place in a strict header.
    header_strict: every column must be there, in the declared order (Engage).
    absorb_extra: cells beyond the last column belong to the last column's list (programs).
    keep_unknown: columns that no field takes are kept as texts under their own names (events).
    json_lines: a file of JSON objects, one a line, is read too (imports/scan/json_lines.py).
    rank: order among feeds that arrive together (a removal runs after the additions).
    """

    name: str
    pack: str
    label: str
    record_type: str
    folders: tuple[str, ...]
    file_name: str
    operation: Operation = Operation.UPSERT
    row_operation: RowOperation | None = None
    blank: Blank = Blank.CLEAR
    columns: tuple[str, ...] = ()
    header_strict: bool = False
    absorb_extra: bool = False
    keep_unknown: bool = False
    json_lines: bool = False
    rank: int = 0
    description: str = ""
    version: int = 1
