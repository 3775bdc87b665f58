"""A field's steps on the first rows, with the same expressions that the engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from imports.mapping.spec import BadSpec, FieldSpec, parse
from imports.mapping.steps import Lookup
from imports.mapping.tables import Table, Tables
from imports.mapping.transforms import compile_field
from portal.faults import Fault
from portal.records.definitions import Field


@dataclass(frozen=True, slots=True)
class Tried:
    """before: the cells of the field's columns. after: the result; None where it is blank."""

    before: tuple[str, ...]
    after: str | None


def parsed(written: dict[str, Any], columns: Sequence[str]) -> tuple[FieldSpec | None, list[str]]:
    """The field's spec, or every fault of it with its place within the field."""
    try:
        spec = parse({"version": 1, "columns": list(columns), "fields": {"field": written}})
    except BadSpec as bad:
        return None, BadSpec(*map(_within_field, bad.faults)).sentences
    return spec.fields["field"], []


def _within_field(fault: Fault) -> Fault:
    return replace(fault, path=fault.path[2:]) if fault.path[:1] == ("fields",) else fault


def fitting(step: Lookup, tables: Tables) -> Table:
    """The step's table; an empty one with its column where there is no such table or column."""
    table = tables.get(step.table)
    if table is not None and (step.column is None or step.column in table.columns[1:]):
        return table
    return Table(columns=("key", step.column or "value"), rows=())


def run(
    field_spec: FieldSpec,
    field: Field,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    tables: Tables,
) -> list[Tried]:
    """The results for some rows. A look-up table that is not there counts as empty."""
    names = [name.strip() for name in header]
    places = [names.index(column) for column in field_spec.columns if column in names]
    steps = [step for step in field_spec.steps if isinstance(step, Lookup)]
    compiled = compile_field(
        field_spec,
        field,
        header,
        places,
        slot=len(header),
        lookups={step.table: fitting(step, tables) for step in steps},
        default=field_spec.default,
    )
    frame = pl.DataFrame(
        {f"r{at}": [row[at] if at < len(row) else "" for row in rows] for at in places}
        or {"r": [""] * len(rows)}
    ).cast(pl.String)
    for stage in compiled.stages:
        frame = frame.with_columns(stage)
    results = frame[compiled.stages[-1].meta.output_name()].to_list()
    befores = (tuple(row[at] if at < len(row) else "" for at in places) for row in rows)
    return [Tried(before, after) for before, after in zip(befores, results, strict=True)]
