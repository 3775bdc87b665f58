"""Every way in which a row of one file may fail, each as a Boolean column; compiled once a file.

Rows that remove a record are checked in their key only. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from imports.check.characters import visible
from imports.check.columns import ColumnMapping
from imports.check.computed import ComputedField
from imports.check.fields import Check, checks, is_blank, missing_in
from imports.check.keys import ReferenceSet, key_hash
from imports.check.row_rules import Cell, row_check
from imports.issues import Code, Severity
from portal.records.definitions import Feed, Field, Operation, RecordType, RowOperation

OPERATION = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A check with its column.

    name: of its Boolean column in a frame. positions: columns of the file whose cells an issue
    shows as the wrong value. others: those that it was compared with. slot: of the cell, which is
    shown where the file has none. constant: as `Cell` has it.
    """

    name: str
    check: Check
    header: str
    positions: tuple[int, ...]
    others: tuple[int, ...] = ()
    severity: Severity = Severity.ERROR
    slot: int | None = None
    constant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCheck:
    """A field whose value is the key of a record of another type. mask: where it is not stored.

    hashes: of the values, a list of them in each row where the field is `many`. looked_up: which of
    some hashes fail the check.
    """

    mask: Mask
    cell: Cell
    looked_up: Callable[[pl.Series], npt.NDArray[np.bool_]]
    hashes: pl.Expr


def cells_of(mapping: ColumnMapping) -> dict[str, Cell]:
    """The mapped fields by name. Their columns in the frame are c and v + slot.

    The slot of a plain column is its position.
    """
    plain = [_cell(field, mapping.header[at], at, (at,)) for at, field in mapping.columns]
    computed = [_computed_cell(each) for each in mapping.computed]
    return {c.field.name: c for c in sorted((*plain, *computed), key=lambda cell: cell.positions)}


def _computed_cell(computed: ComputedField) -> Cell:
    cell = _cell(
        computed.field, computed.header, computed.slot, computed.positions, computed.faults
    )
    return replace(
        cell,
        constant=computed.constant,
        taken_as_it_is=computed.taken_as_it_is,
        missing=computed.missing,
    )


def _cell(
    field: Field, header: str, slot: int, positions: tuple[int, ...], faults: tuple[Check, ...] = ()
) -> Cell:
    cell, value = pl.col(f"c{slot}"), pl.col(f"v{slot}")
    blank = is_blank(field, cell, value)
    for fault in faults:
        blank &= ~fault.failed
    missing = missing_in(field)
    return Cell(field, header, slot, positions, cell, value, blank, faults, missing=missing)


def operation_of(feed: Feed, mapping: ColumnMapping) -> pl.Expr:
    """What each row does, as text; null where its operation column cannot be read."""
    rule, cell = feed.row_operation, _operation_cell(mapping)
    if rule is None or cell is None:
        return pl.lit(feed.operation.value).alias(OPERATION)
    named = {spelling: operation.value for spelling, operation in rule.values.items()}
    read = cell.cell.str.to_lowercase()
    operation = read.replace_strict(named, default=None, return_dtype=pl.String)
    if rule.blank is not None:
        operation = pl.when(read.is_null()).then(pl.lit(rule.blank.value)).otherwise(operation)
    return operation.alias(OPERATION)


def compile_masks(
    mapping: ColumnMapping, feed: Feed, record_type: RecordType, cells: Mapping[str, Cell]
) -> tuple[Mask, ...]:
    """All masks but those of references, in the order in which issues are reported."""
    loads = _loads(feed)
    masks: list[Mask] = []
    operation = _operation_cell(mapping)
    if feed.row_operation is not None and operation is not None:
        masks += _operation_masks(feed.row_operation, operation)
    for cell in cells.values():
        masks += _cell_masks(cell, record_type, loads)
    masks += _rule_masks(record_type, cells, loads)
    return tuple(
        replace(mask, name=f"m{number}", check=_without_nulls(mask))
        for number, mask in enumerate(masks)
    )


def compile_references(
    record_type: RecordType,
    cells: Mapping[str, Cell],
    types: Callable[[str], RecordType],
    references: Mapping[str, ReferenceSet],
) -> tuple[ReferenceCheck, ...]:
    """The references to other types. Raises KeyError where a type or its set is not given."""
    checks: list[ReferenceCheck] = []
    for cell in cells.values():
        name = cell.field.references
        if name is None or name == record_type.name:
            continue
        checks.append(_reference(cell, types(name), references[name]))
        if references[name].removed.size:
            checks.append(_removed_reference(cell, types(name), references[name]))
    return tuple(checks)


def hashes_of(cell: Cell, fold: bool) -> pl.Expr:
    """The hashes of what a field refers to; a list of them in each row where it is `many`."""
    if cell.field.many:
        return cell.value.list.eval(key_hash([pl.element()], fold))
    return key_hash([cell.value], fold)


def _reference(cell: Cell, target: RecordType, stored: ReferenceSet) -> ReferenceCheck:
    name = f"x{cell.slot}"
    message = (
        f'"{{column}}" is "{{value}}", but there is no such record in "{target.label}".'
        f' Correct the cell, or send the "{target.label}" file with it first.'
    )
    mask = replace(_mask(Check(Code.UNKNOWN_REFERENCE, pl.col(name), message), cell), name=name)
    hashes = hashes_of(cell, target.fold_key).alias(name)
    return ReferenceCheck(mask=mask, cell=cell, looked_up=stored.missing, hashes=hashes)


def _removed_reference(cell: Cell, target: RecordType, stored: ReferenceSet) -> ReferenceCheck:
    """The warning about a record that exists and was removed: the row is accepted all the same."""
    name = f"y{cell.slot}"
    message = (
        f'"{{column}}" is "{{value}}", a record in "{target.label}" that was removed. The row is'
        f' accepted. If the record should be there, send the "{target.label}" file with it again.'
    )
    check = _named(Check(Code.REMOVED_REFERENCE, pl.col(name), message), cell.header)
    mask = Mask(
        name=name,
        check=check,
        header=cell.header,
        positions=cell.positions,
        severity=Severity.WARNING,
    )
    hashes = hashes_of(cell, target.fold_key).alias(name)
    return ReferenceCheck(mask=mask, cell=cell, looked_up=stored.gone, hashes=hashes)


def _loads(feed: Feed) -> pl.Expr | None:
    """True where a row loads values instead of removing a record; None where no row does."""
    if feed.row_operation is not None:
        return pl.col(OPERATION).ne_missing(Operation.REMOVE.value)
    return None if feed.operation is Operation.REMOVE else pl.lit(True)


def _operation_cell(mapping: ColumnMapping) -> Cell | None:
    """The cell that says what a row does; its value is not read from it."""
    if mapping.operation is not None:
        return _computed_cell(mapping.operation)
    at = mapping.operation_column
    return None if at is None else _cell(Field(name=OPERATION), mapping.header[at], at, (at,))


def _operation_masks(rule: RowOperation, operation: Cell) -> Iterator[Mask]:
    named = ", ".join(rule.values)
    unread = operation.cell.is_not_null() & pl.col(OPERATION).is_null()
    message = f'"{{column}}" is "{{value}}". Use one of: {named} (case is ignored).'
    operation_checks = [*operation.faults, Check(Code.NOT_IN_LIST, unread, message)]
    if rule.blank is None:
        message = f'"{{column}}" is blank. It must say what to do with the row: {named}.'
        operation_checks.append(Check(Code.REQUIRED, operation.blank, message))
    for check in operation_checks:
        yield _mask(check, operation)


def _cell_masks(cell: Cell, record_type: RecordType, loads: pl.Expr | None) -> Iterator[Mask]:
    field = cell.field
    key = field.name in record_type.key
    if not key and loads is None:
        return
    cell_checks = [*cell.faults, *([_required(cell)] if field.required or key else [])]
    cell_checks += checks(field, cell.cell, cell.value)
    for check in cell_checks:
        yield _mask(check if key else _only_where(check, loads), cell)


def _required(cell: Cell) -> Check:
    words = [word for word in missing_in(cell.field)[1:] if word.isupper()]
    counted = f" ({', '.join(words[:-1])} and {words[-1]} count as blank)" if words else ""
    message = f'"{{column}}" is blank, but every row needs a value here. Fill it in{counted}.'
    return Check(Code.REQUIRED, cell.blank, message)


def _rule_masks(
    record_type: RecordType, cells: Mapping[str, Cell], loads: pl.Expr | None
) -> Iterator[Mask]:
    for rule in record_type.rules if loads is not None else ():
        check = row_check(rule, cells)
        if check is None or rule.other is None:
            continue
        subject, other = cells[rule.field], cells[rule.other]
        yield replace(
            _mask(_only_where(check, loads), subject),
            others=other.positions,
            severity=Severity(rule.severity),
        )


def _mask(check: Check, cell: Cell) -> Mask:
    return Mask(
        name="",
        check=_named(check, cell.header),
        header=cell.header,
        positions=cell.positions,
        slot=cell.slot,
        constant=cell.constant,
    )


def _only_where(check: Check, condition: pl.Expr | None) -> Check:
    return check if condition is None else replace(check, failed=check.failed & condition)


def _named(check: Check, header: str) -> Check:
    return replace(check, message=check.message.replace("{column}", visible(header)))


def _without_nulls(mask: Mask) -> Check:
    return replace(mask.check, failed=mask.check.failed.fill_null(False))
