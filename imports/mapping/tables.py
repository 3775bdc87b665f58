"""A tenant's look-up table as plain data: a key column and the values that it stands for. Pure.

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

Row: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """columns: names, the key's first. rows: as wide; each key once. fold: capitals of keys do
    not count. number: of the version, where it is a stored one."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    fold: bool = False
    number: int = 0

    def pairs(self, column: str | None = None) -> tuple[pl.Series, pl.Series]:
        """Keys in their normal form, and the values of a column, of the first without a name.

        Raises ValueError for a column that it does not have.
        """
        at = 1 if column is None else self.columns.index(column, 1)
        keys = normal(pl.Series([row[0] for row in self.rows], dtype=pl.String), self.fold)
        return keys, pl.Series([row[at] for row in self.rows], dtype=pl.String)

    @property
    def digest(self) -> int:
        """64 bits that change with everything that decides what a key comes to."""
        facts = json.dumps([self.columns, self.rows, self.fold])
        return xxhash.xxh3_64_intdigest(facts.encode())


Tables: TypeAlias = Mapping[str, Table]


def normal(keys: pl.Series, fold: bool) -> pl.Series:
    """The keys as they are compared: as cells are tidied, and in small letters where asked."""
    stripped = tidied(keys).str.strip_chars()
    return stripped.str.to_lowercase() if fold else stripped


def named_in(spec: Spec) -> list[str]:
    """The tables that a spec looks values up in, each once, by name."""
    return sorted({step.table for _field, step in lookups_of(spec)})


def lookups_of(spec: Spec) -> Iterator[tuple[str, Lookup]]:
    """Each look-up of a spec with the name of its field."""
    for name, made in spec.fields.items():
        for step in made.steps:
            if isinstance(step, Lookup):
                yield name, step


def written_in(spec: Any) -> set[str]:
    """As `named_in`, of a spec as it is stored, which need not be valid."""
    fields = spec.get("fields") if isinstance(spec, dict) else None
    if not isinstance(fields, dict):
        return set()
    lists = (made.get("steps") for made in fields.values() if isinstance(made, dict))
    steps = (step for listed in lists if isinstance(listed, list) for step in listed)
    given = (step.get("lookup") for step in steps if isinstance(step, dict))
    return {str(one["table"]) for one in given if isinstance(one, dict) and "table" in one}


def place_of(table: Table, key: str) -> int | None:
    """Which row has the key, in any spelling that counts as the same; None where none has."""
    wanted = normal(pl.Series([key], dtype=pl.String), table.fold)[0]
    keys = table.pairs()[0].to_list()
    return keys.index(wanted) if wanted in keys else None


def missing(spec: Spec, columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What a spec needs of tables that are not there. columns: of each table, the key's first."""
    for name, step in lookups_of(spec):
        if step.table not in columns:
            yield f'"{name}" needs the look-up table "{step.table}", which is not there.'
    yield from lacking(spec, columns)


def lacking(spec: Spec, columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What a spec takes of these tables that they do not have."""
    for name, step in lookups_of(spec):
        if step.table not in columns or step.column is None:
            continue
        if step.column not in columns[step.table][1:]:
            yield (
                f'"{name}" needs the column "{step.column}" of the look-up table "{step.table}",'
                f" which has {_listed(columns[step.table][1:])}."
            )


def _listed(names: Collection[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
