"""Rules across the cells of one row, as Boolean columns (the rules of `definitions.Rule`). Pure.

`only_one` and `tree` concern the whole file and the store: `across_rows` checks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from imports.check import moments
from imports.check.fields import Check
from imports.issues import Code
from portal.records.definitions import Field, FieldType, Rule


@dataclass(frozen=True, slots=True)
class Cell:
    """One mapped field while a chunk is checked.

    header: its columns as the file spells them. positions: of these columns; none for a constant.
    slot: number of its columns in the frame. cell, value, blank: the cleaned text, what is stored
    for it, and whether it has no value. faults: where a step could not read it; the cell is null
    there without being blank. constant: what the template writes instead of a column.
    taken_as_it_is: no step of a template changes what the file's cell says. missing: what counts
    as blank in its columns.
    """

    field: Field
    header: str
    slot: int
    positions: tuple[int, ...]
    cell: pl.Expr
    value: pl.Expr
    blank: pl.Expr
    faults: tuple[Check, ...] = ()
    constant: str | None = None
    taken_as_it_is: bool = True
    missing: tuple[str, ...] = ("",)


def row_check(rule: Rule, cells: Mapping[str, Cell]) -> Check | None:
    """The check of a rule; None where the file lacks a column of it, or where it is not a row rule.

    The message may also hold `{other}`, the cell of the rule's other field.
    """
    subject = cells.get(rule.field)
    other = cells.get(rule.other or "")
    if subject is None or other is None or rule.kind not in _BUILDERS:
        return None
    return _BUILDERS[rule.kind](rule, subject, other)


def is_one_of(cell: Cell, values: tuple[str, ...]) -> pl.Expr:
    """True where the stored text is one of the values, case ignored; false where it is blank."""
    folded = cell.value.cast(pl.String).str.to_lowercase()
    return folded.is_in([value.lower() for value in values]).fill_null(False)


def _differs(_: Rule, subject: Cell, other: Cell) -> Check:
    first, second = (c.value.cast(pl.String).str.to_lowercase() for c in (subject, other))
    message = (
        f'"{{column}}" is "{{value}}", the same as "{other.header}".'
        " The two must differ: correct one of them."
    )
    return Check(Code.SAME_AS, first == second, message)


def _not_after(_: Rule, subject: Cell, other: Cell) -> Check:
    if subject.field.type in (FieldType.DATE, FieldType.DATETIME):
        failed, word = moments.later(subject.value, other.value), "later"
    else:
        failed, word = subject.value > other.value, "larger"
    message = (
        f'"{{column}}" is "{{value}}", {word} than "{other.header}", which is "{{other}}".'
        " Correct one of them."
    )
    return Check(Code.AFTER, failed, message)


def _required_unless(rule: Rule, subject: Cell, other: Cell) -> Check:
    message = (
        f'"{{column}}" is blank. It may be blank only where "{other.header}" is'
        f' {" or ".join(rule.values)}; here that is "{{other}}".'
    )
    return Check(Code.REQUIRED, subject.blank & ~is_one_of(other, rule.values), message)


def _blank_when(rule: Rule, subject: Cell, other: Cell) -> Check:
    message = (
        f'"{{column}}" is "{{value}}" but must be blank where "{other.header}" is '
        f"{' or '.join(rule.values)}. Clear the cell."
    )
    return Check(Code.MUST_BE_BLANK, ~subject.blank & is_one_of(other, rule.values), message)


_BUILDERS: Mapping[str, Callable[[Rule, Cell, Cell], Check]] = MappingProxyType(
    {
        "differs": _differs,
        "not_after": _not_after,
        "required_unless": _required_unless,
        "blank_when": _blank_when,
    }
)
