"""All reading of look-up tables for pages: the list, one table, which templates use it."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet

from imports.mapping.tables import Row, Table, written_in
from imports.models import ImportJob, ImportTemplate, LookupTable, LookupVersion
from portal.models import Tenant


def tables(tenant: Tenant) -> QuerySet[LookupTable]:
    """The tenant's tables by name, without their rows."""
    rows = LookupTable.objects.filter(tenant=tenant).select_related("current__user")
    return rows.defer("current__rows").order_by("name", "pk")


def table(tenant: Tenant, uid: uuid.UUID) -> LookupTable | None:
    """The tenant's table; None where there is none."""
    rows = LookupTable.objects.filter(tenant=tenant, uid=uid)
    return rows.select_related("current", "tenant").first()


def versions(table: LookupTable) -> QuerySet[LookupVersion]:
    """Its kept versions without their rows, newest first, with who made them."""
    return table.versions.select_related("user").defer("rows").order_by("-number")


def users(tenant_id: int) -> dict[str, list[ImportTemplate]]:
    """The templates whose current version looks values up, by the table's name."""
    using: dict[str, list[ImportTemplate]] = {}
    templates = ImportTemplate.objects.filter(tenant_id=tenant_id).select_related("current")
    for template in templates.order_by("name"):
        for name in written_in(template.current.spec) if template.current else ():
            using.setdefault(name, []).append(template)
    return using


def unfinished(table: LookupTable) -> QuerySet[ImportJob]:
    """The jobs that run with the table, or will continue with it once released."""
    jobs = ImportJob.objects.filter(tenant_id=table.tenant_id, lookups__has_key=table.name)
    return jobs.exclude(state__in=ImportJob.FINAL_STATES)


def matching(table: Table, part: str) -> list[Row]:
    """The rows of which a cell contains that text in any case; all rows where it is empty."""
    folded = part.strip().lower()
    return [row for row in table.rows if any(folded in cell.lower() for cell in row)]
