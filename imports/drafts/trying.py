"""What a field's steps make of the first rows: the same expressions that the engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from imports.mapping.spec import BadSpec, FieldSpec, parse
from imports.mapping.steps import Lookup
from imports.mapping.tables import Table, Tables
from imports.mapping.transforms import compile_field
from portal.records.definitions import Field


@dataclass(frozen=True, slots=True)
class Tried:
    """before: the cells of the field's columns. after: the result; None where it is blank."""

    before: tuple[str, ...]
    after: str | None


def parsed(made: dict[str, Any], columns: Sequence[str]) -> tuple[FieldSpec | None, list[str]]:
    """The field's spec, or every fault of it."""
    try:
        spec = parse({"version": 1, "columns": list(columns), "fields": {"field": made}})
    except BadSpec as bad:
        return None, [fault.removeprefix("fields.field.") for fault in bad.faults]
    return spec.fields["field"], []


def fitting(step: Lookup, tables: Tables) -> Table:
    """The step's table; an empty one with its column where there is no such table or column."""
    table = tables.get(step.table)
    if table is not None and (step.column is None or step.column in table.columns[1:]):
        return table
    return Table(columns=("key", step.column or "value"), rows=())


def run(
    made: FieldSpec,
    field: Field,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    tables: Tables,
) -> list[Tried]:
    """What comes out for some rows. A look-up table that is not there counts as empty."""
    names = [name.strip() for name in header]
    places = [names.index(column) for column in made.columns if column in names]
    known = {step.table: fitting(step, tables) for step in made.steps if isinstance(step, Lookup)}
    built = compile_field(
        made, field, header, places, slot=len(header), lookups=known, default=made.default
    )
    frame = pl.DataFrame(
        {f"r{at}": [row[at] if at < len(row) else "" for row in rows] for at in places}
        or {"r": [""] * len(rows)}
    ).cast(pl.String)
    for stage in built.stages:
        frame = frame.with_columns(stage)
    results = frame[built.stages[-1].meta.output_name()].to_list()
    befores = (tuple(row[at] if at < len(row) else "" for at in places) for row in rows)
    return [Tried(before, after) for before, after in zip(befores, results, strict=True)]
