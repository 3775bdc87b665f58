"""What is wrong with cells of a chunk that few chunks have: looked for only where its bytes say so.

A chunk's unusual bytes are collected once, in a small part of the time of one regular expression.
Where there is no `#`, no cell is a spreadsheet's error, and no column is searched for one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TypeAlias

import numpy as np
import polars as pl

from imports.check import characters, fields, spreadsheets
from imports.check.fields import Check
from imports.check.masks import OPERATION, Mask
from imports.check.row_rules import Cell
from imports.issues import Code, Severity
from portal.records.definitions import Blank, Feed, Field, FieldType, Operation, RecordType

# Letters up to U+01FF are in form C already; their bytes need no look.
_USUAL = bytes(
    set(range(0x20, 0x7F)) - set(b"#'=+") | {0x0A} | set(range(0x80, 0xC0)) | set(range(0xC3, 0xC8))
)
_GUARDS = frozenset(b"'=")
_INSIDE = np.zeros(256, bool)
_INSIDE[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.")] = True
_INSIDE[0x80:] = True
_IMPOSSIBLE = 'The key "{column}" is "{value}". No identifier can hold '
_KEPT = (
    '"{column}" is "{value}". It was taken as that word, which may be a name. If there is no value,'
    " leave the cell empty."
)
_CLEARED = (
    '"{column}" is "{value}", which counts as blank there: a value that the record had is cleared.'
)
_NEVER = pl.lit(False)  # the rows are looked for in the chunk, not in an expression


@dataclass(frozen=True, slots=True)
class Census:
    """Which unusual bytes a chunk has.

    lines: some record has several lines. libre: some cell may be an error of LibreOffice. guarded:
    some cell may begin with what spreadsheets put before a value.
    """

    unusual: frozenset[int]
    lines: bool = False
    libre: bool = False
    guarded: bool = False
    ancient: bool = False

    @classmethod
    def of(cls, data: bytes, records: int) -> Census:
        """Count the bytes of a chunk with that many records."""
        unusual = frozenset(data.translate(None, _USUAL))
        guarded = any(_begins_with(data, sign) for sign in unusual & _GUARDS)
        guarded = guarded or b"mailto:" in data or b"MAILTO:" in data
        ancient = any(year in data for year in (b"1899", b"1900", b"1904"))
        return cls(unusual, data.count(b"\n") != records, b"Err:5" in data, guarded, ancient)

    @property
    def odd(self) -> bool:
        """Some character may be invisible, or not in its normal form."""
        return any(byte >= 0x80 for byte in self.unusual)

    @property
    def failed(self) -> bool:
        """Some cell may be a spreadsheet's error or a formula."""
        return self.libre or not self.unusual.isdisjoint(b"#=")

    @property
    def rounded(self) -> bool:
        """Some cell may be a rounded number such as 1.23E+12."""
        return ord("+") in self.unusual

    @property
    def unprintable(self) -> bool:
        """Some cell may hold a control character, or another that no identifier holds."""
        return self.lines or self.odd or any(byte < 0x20 or byte == 0x7F for byte in self.unusual)


@dataclass(frozen=True, slots=True)
class Note:
    """A way to fail that some rows of this chunk have. mask: its name is that of `rows`."""

    mask: Mask
    rows: pl.Series


_Finding: TypeAlias = tuple[Check, pl.Series, Severity]


def _begins_with(data: bytes, sign: int) -> bool:
    """Whether a sign stands where a cell can begin: behind no letter, digit or byte of one."""
    array = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(array == sign)
    return bool(at.size) and (at[0] == 0 or not _INSIDE[array[at - 1]].all())


def prepared(raw: pl.DataFrame, census: Census, identifiers: Mapping[int, bool]) -> pl.DataFrame:
    """The columns without what is not seen and what spreadsheets put around values.

    identifiers: position of each column that is read, and whether it holds identifiers or values
    of a type; in these nothing invisible is meant.
    """
    changed = []
    for position, strict in identifiers.items():
        column = raw[f"r{position}"]
        tidy = characters.tidied(column, identifiers=strict) if census.odd else column
        if census.guarded:
            tidy = spreadsheets.restored(tidy, identifiers=strict)
        if tidy is not column:
            changed.append(tidy)
    return raw.with_columns(changed) if changed else raw


@dataclass(frozen=True, slots=True)
class CellNotes:
    """The notes of one file's cells. attachment: the file is one of our error attachments."""

    feed: Feed
    record_type: RecordType
    cells: Mapping[str, Cell]
    attachment: bool

    def of(self, census: Census, before: pl.DataFrame, frame: pl.DataFrame) -> list[Note]:
        """What some rows have. before: the cells as the file has them. frame: as they were read."""
        loads = frame[OPERATION].fill_null("") != Operation.REMOVE.value
        notes: list[Note] = []
        for cell in self.cells.values():
            key = cell.field.name in self.record_type.key
            for check, rows, severity in self._of_cell(cell, census, before, frame):
                rows = rows if key else rows & loads
                if rows.any():
                    notes.append(_note(len(notes), cell, check, rows, severity))
        return notes

    def _of_cell(
        self, cell: Cell, census: Census, before: pl.DataFrame, frame: pl.DataFrame
    ) -> Iterator[_Finding]:
        column = frame[f"c{cell.slot}"]
        identifies = is_identifier(cell.field, self.record_type)
        if census.failed:
            columns = [column]
            if cell.taken_as_it_is and cell.slot not in cell.positions:
                columns += [before[f"r{position}"] for position in cell.positions]
            yield from _failed(columns, identifies)
        if identifies:
            yield from _damaged(column)
        elif census.rounded and cell.field.type is FieldType.TEXT:
            yield _damage(column.str.contains(spreadsheets.ROUNDED))
        if census.ancient and cell.field.type in (FieldType.DATE, FieldType.DATETIME):
            check = Check(Code.SPREADSHEET_DAMAGE, _NEVER, spreadsheets.DAY_ZERO_MESSAGE)
            yield check, spreadsheets.day_zero(column), Severity.WARNING
        if cell.field.name in self.record_type.key and (census.unprintable or cell.faults):
            check = Check(Code.BAD_FORMAT, _NEVER, _IMPOSSIBLE, _impossible)
            yield check, column.cast(pl.String).str.contains(characters.IMPOSSIBLE), Severity.ERROR
        yield from self._words(cell, column, before)
        if census.guarded and not self.attachment:
            yield from _restored(cell, before, identifies)

    def _words(self, cell: Cell, column: pl.Series, before: pl.DataFrame) -> Iterator[_Finding]:
        """Words for a missing value: as a text they stay, as another type they clear."""
        missing = cell.missing[1:]
        if cell.field.type is FieldType.TEXT:
            rows = column.is_in(list(fields.MISSING_WORDS))
            yield Check(Code.MISSING_WORD, _NEVER, _KEPT), rows, Severity.WARNING
        if missing and column.null_count() and self._clears(cell):
            for position in cell.positions:
                word = before[f"r{position}"].str.strip_chars().is_in(list(missing))
                rows = word & column.is_null()
                yield Check(Code.MISSING_WORD, _NEVER, _CLEARED), rows, Severity.WARNING

    def _clears(self, cell: Cell) -> bool:
        if cell.field.required or cell.field.name in self.record_type.key:
            return False  # it is rejected as blank
        return (cell.field.blank or self.feed.blank) is Blank.CLEAR


def is_identifier(field: Field, record_type: RecordType) -> bool:
    """Whether the values of the field are identifiers: of this record, or of another."""
    if field.type not in (FieldType.TEXT, FieldType.GUID) or field.many:
        return False
    return field.references is not None or record_type.key == (field.name,)


def _failed(columns: list[pl.Series], identifies: bool) -> Iterator[_Finding]:
    """Where one of a cell's columns, or what was made of them, is an error or a formula."""
    check = Check(Code.SPREADSHEET_DAMAGE, _NEVER, spreadsheets.ERROR_MESSAGE)
    errors = [spreadsheets.errors(column, identifiers=identifies) for column in columns]
    yield check, reduce(or_, errors), Severity.ERROR
    check = Check(Code.SPREADSHEET_DAMAGE, _NEVER, spreadsheets.FORMULA_MESSAGE)
    yield check, reduce(or_, map(spreadsheets.formulas, columns)), Severity.ERROR


def _damaged(column: pl.Series) -> Iterator[_Finding]:
    either = column.str.contains(f"{spreadsheets.DAMAGED}|{spreadsheets.SUSPECT}")
    if either.any():
        yield _damage(column.str.contains(spreadsheets.DAMAGED))
        message, hint = spreadsheets.SUSPECT_MESSAGE, spreadsheets.suspicion
        check = Check(Code.SPREADSHEET_DAMAGE, _NEVER, message, hint)
        suspect = column.str.contains(spreadsheets.SUSPECT)
        yield check, suspect, Severity.WARNING
    check = Check(Code.SPREADSHEET_DAMAGE, _NEVER, spreadsheets.PRECISION_MESSAGE)
    yield check, spreadsheets.imprecise(column), Severity.WARNING


def _damage(rows: pl.Series) -> _Finding:
    message = '"{column}" is "{value}":'
    return (
        Check(Code.SPREADSHEET_DAMAGE, _NEVER, message, spreadsheets.damage),
        rows,
        Severity.ERROR,
    )


def _impossible(value: str) -> str:
    return f"{characters.impossible(value)}. Take it out, and write what was meant."


def _restored(cell: Cell, before: pl.DataFrame, identifies: bool) -> Iterator[_Finding]:
    for position in cell.positions:
        column = before[f"r{position}"]
        restored = spreadsheets.restored(column, identifiers=identifies)
        if restored is not column:
            check = Check(Code.RESTORED, _NEVER, spreadsheets.RESTORED_MESSAGE)
            changed = restored.str.strip_chars() != column.str.strip_chars()
            yield check, changed, Severity.WARNING


def _note(number: int, cell: Cell, check: Check, rows: pl.Series, severity: Severity) -> Note:
    name = f"n{number}"
    message = check.message.replace("{column}", characters.visible(cell.header))
    mask = Mask(
        name=name,
        check=replace(check, message=message),
        header=cell.header,
        positions=cell.positions,
        slot=cell.slot,
        severity=severity,
    )
    return Note(mask, rows.fill_null(False).alias(name))
