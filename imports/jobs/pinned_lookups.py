"""A tenant's look-up tables as templates need them: which there are, and what a job runs with.

A job notes the versions of its tables when it first starts, and all its attempts run with those:
what it planned and what a person released stays what it writes, whatever is edited meanwhile.
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
    found = _current(tenant_id).values_list("table__name", "columns").order_by("table__name")
    return {name: tuple(names) for name, names in found}


def current(tenant_id: int, names: Collection[str]) -> dict[str, Table]:
    """The tables of these names as they are now; those that are there."""
    found = _current(tenant_id).filter(table__name__in=list(names)).select_related("table")
    return {version.table.name: content(version) for version in found}


def pins(job: ImportJob, spec: Spec) -> dict[str, int]:
    """The tables that the job runs with, name to version: as noted, or the versions of now."""
    named = named_in(spec)
    fresh = [name for name in named if name not in job.lookups]
    found = _current(job.tenant_id).filter(table__name__in=fresh)
    return {**dict(found.values_list("table__name", "number")), **job.lookups}


def pinned(tenant_id: int, noted: Mapping[str, int]) -> Tables:
    """The tables in the versions that a job has noted."""
    found: dict[str, Table] = {}
    for name, number in noted.items():
        versions = LookupVersion.objects.filter(tenant_id=tenant_id, table__name=name)
        if version := versions.filter(number=number).first():
            found[name] = content(version)
    return found


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
