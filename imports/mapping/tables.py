"""A tenant's look-up table as plain data: a key column and the values of each key. Pure.

Source: issue 3 (transforms: look-up table).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl
import xxhash

from imports.check.characters import tidied
from imports.mapping.definitions import Spec
from imports.mapping.steps import Lookup
from portal.faults import Fault

Row: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A look-up table.

    columns: names, the key's first. rows: as wide as `columns`; each key once. fold: whether keys
    are compared without case. number: of the version, where it is a stored one; else 0.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    fold: bool = False
    number: int = 0

    def pairs(self, column: str | None = None) -> tuple[pl.Series, pl.Series]:
        """The keys in their normal form, and the values of a column; None: the first after the key.

        Raises ValueError for a column that it does not have.
        """
        at = 1 if column is None else self.columns.index(column, 1)
        keys = normal(pl.Series([row[0] for row in self.rows], dtype=pl.String), self.fold)
        return keys, pl.Series([row[at] for row in self.rows], dtype=pl.String)

    @property
    def digest(self) -> int:
        """A 64-bit hash of everything that decides which value a key has."""
        facts = json.dumps([self.columns, self.rows, self.fold])
        return xxhash.xxh3_64_intdigest(facts.encode())


Tables: TypeAlias = Mapping[str, Table]


def normal(keys: pl.Series, fold: bool) -> pl.Series:
    """The keys as they are compared: as cells are tidied, in lower case where `fold` says so."""
    stripped = tidied(keys).str.strip_chars()
    return stripped.str.to_lowercase() if fold else stripped


def named_in(spec: Spec) -> list[str]:
    """The tables that a spec looks values up in, each once, by name."""
    return sorted({step.table for _field, step in lookups_of(spec)})


def lookups_of(spec: Spec) -> Iterator[tuple[str, Lookup]]:
    """Each look-up of a spec with the name of its field."""
    for name, field in spec.fields.items():
        for step in field.steps:
            if isinstance(step, Lookup):
                yield name, step


def written_in(spec: Any) -> set[str]:
    """As `named_in`, for a spec as it is stored, which need not be valid."""
    fields = spec.get("fields") if isinstance(spec, dict) else None
    if not isinstance(fields, dict):
        return set()
    lists = (field.get("steps") for field in fields.values() if isinstance(field, dict))
    steps = (step for listed in lists if isinstance(listed, list) for step in listed)
    lookups = (step.get("lookup") for step in steps if isinstance(step, dict))
    return {str(step["table"]) for step in lookups if isinstance(step, dict) and "table" in step}


def row_with(table: Table, key: str) -> int | None:
    """The position of the row with the key, in any equal spelling; None where none has it."""
    folded = normal(pl.Series([key], dtype=pl.String), table.fold)[0]
    keys = table.pairs()[0].to_list()
    return keys.index(folded) if folded in keys else None


def missing(spec: Spec, columns: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """The tables and columns that a spec needs and that are not there.

    columns: of each table, the key's first.
    """
    for name, step in lookups_of(spec):
        if step.table not in columns:
            message = '"%(field)s" needs the look-up table "%(table)s", which does not exist.'
            params = {"field": name, "table": step.table}
            yield Fault(("fields", name), "no_table", message, params)
    yield from missing_columns(spec, columns)


def missing_columns(spec: Spec, columns: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """The columns that a spec takes values from and that these tables do not have."""
    for name, step in lookups_of(spec):
        if step.table not in columns or step.column is None:
            continue
        if step.column not in columns[step.table][1:]:
            message = (
                '"%(field)s" needs the column "%(column)s" of the look-up table "%(table)s",'
                " which has %(columns)s."
            )
            params = {"field": name, "column": step.column, "table": step.table}
            listed = _listed(columns[step.table][1:])
            yield Fault(("fields", name), "no_table_column", message, {**params, "columns": listed})


def _listed(names: Collection[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
