"""A file's columns before anything is made of them: what is blank, what nobody means. Pure."""

from __future__ import annotations

import polars as pl

from imports.check import fields
from imports.check.columns import ColumnMapping
from portal.records.definitions import FieldType, RecordType


def cleaned(mapping: ColumnMapping) -> list[pl.Expr]:
    """The cells of plain columns, without white space around; null where they are blank."""
    missing = {position: fields.missing_in(column) for position, column in mapping.columns}
    if mapping.operation_column is not None:
        missing.setdefault(mapping.operation_column, fields.MISSING)
    return [
        fields.clean(pl.col(f"r{position}"), missing[position]).alias(f"c{position}")
        for position in sorted(missing)
    ]


def strictness(mapping: ColumnMapping, record_type: RecordType) -> dict[int, bool]:
    """Each column that is read, and whether nothing invisible can be meant in it."""
    strict = {position: False for each in mapping.all_computed for position in each.positions}
    if mapping.operation_column is not None:
        strict[mapping.operation_column] = True
    for position, column in mapping.columns:
        texts = column.type is FieldType.TEXT and column.references is None
        strict[position] = not texts or column.name in record_type.key
    return strict
