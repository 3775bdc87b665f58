"""A tenant's look-up tables as templates need them: which exist, and which versions a job uses.

A job records the versions of its tables when it first starts, and all its attempts use those: it
writes what it planned and a person released, whatever is edited meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import F

from imports.mapping.definitions import Spec
from imports.mapping.tables import Table, Tables, named_in
from imports.models import ImportJob, LookupVersion


def columns(tenant_id: int) -> dict[str, tuple[str, ...]]:
    """The columns of the tenant's tables by name, the key's first."""
    versions = _current(tenant_id).values_list("table__name", "columns").order_by("table__name")
    return {name: tuple(names) for name, names in versions}


def current(tenant_id: int, names: Collection[str]) -> dict[str, Table]:
    """The tables of these names as they are now; missing ones are left out."""
    versions = _current(tenant_id).filter(table__name__in=list(names)).select_related("table")
    return {version.table.name: content(version) for version in versions}


def versions_of(job: ImportJob, spec: Spec) -> dict[str, int]:
    """The tables that the job runs with, name to version: as recorded, or the current versions."""
    versions = _current(job.tenant_id).filter(table__name__in=named_in(spec))
    return {**dict(versions.values_list("table__name", "number")), **job.lookups}


def pinned(tenant_id: int, numbers: Mapping[str, int]) -> Tables:
    """The tables in the versions that a job has recorded."""
    tables: dict[str, Table] = {}
    for name, number in numbers.items():
        versions = LookupVersion.objects.filter(tenant_id=tenant_id, table__name=name)
        if version := versions.filter(number=number).first():
            tables[name] = content(version)
    return tables


def content(version: LookupVersion) -> Table:
    """A stored version as plain data."""
    return Table(
        columns=tuple(version.columns),
        rows=tuple(map(tuple, version.rows)),
        fold=version.fold,
        number=version.number,
    )


def _current(tenant_id: int) -> Any:
    return LookupVersion.objects.filter(tenant_id=tenant_id, table__current=F("pk"))
