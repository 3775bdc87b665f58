"""What a person does with look-up tables: create, replace, change a row, delete.

The caller checks who may. Each change is a whole new version, which replaces the one before in
one transaction; it names the version it was made from, so that of two people who save at once the
second is refused. No template is left with a table or column that is not there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from django.db import transaction

from imports.jobs import pinned_lookups
from imports.mapping.definitions import BadSpec
from imports.mapping.parsing import parse
from imports.mapping.table_files import MOST_ROWS, row_faults
from imports.mapping.tables import Row, Table, missing_columns, row_with
from imports.models import LookupTable, LookupVersion
from imports.templates.lookups import queries
from imports.templates.rules import lock_templates, saved_meanwhile
from portal import audit
from portal.changes import Actor
from portal.faults import Fault, Refused, refuse
from portal.models import Tenant

MOST_TABLES = 200
MOST_VERSIONS = 20


def create(tenant: Tenant, actor: Actor, name: str, table: Table, note: str = "") -> LookupTable:
    """A new table with its version 1. Raises Refused."""
    with transaction.atomic():
        lock_templates(tenant.pk)
        refuse(_name_faults(tenant, name))
        created = LookupTable.objects.create(tenant=tenant, name=name)
        _add_version(created, actor, table, 1, note)
        _audit(created, actor, "lookup.create", rows=len(table.rows))
    return created


def replace(
    table: LookupTable, actor: Actor, content: Table, *, based_on: int, note: str = ""
) -> LookupVersion:
    """Replace the table's content. Raises Refused, ChangedMeanwhile."""
    with transaction.atomic():
        lock_templates(table.tenant_id)
        current = _locked(table, based_on)
        if _same(current, content):
            message = "The table already has this content. Nothing was changed."
            raise Refused(Fault((), "unchanged", message))
        refuse(_template_faults(table, content))
        version = _add_version(table, actor, content, current.number + 1, note)
        _audit(table, actor, "lookup.version", version=version.number, rows=len(content.rows))
    return version


def set_row(table: LookupTable, actor: Actor, row: Row, *, based_on: int) -> LookupVersion:
    """Add the row, or replace the one with its key. Raises Refused, ChangedMeanwhile."""
    content = _content(table)
    at = row_with(content, row[0])
    rows = list(content.rows)
    if at is None:
        rows.append(row)
        note = f"Added “{row[0]}”."
    else:
        rows[at] = row
        note = f"Changed “{row[0]}”."
    changed = dataclasses.replace(content, rows=tuple(rows))
    if len(rows) > MOST_ROWS:
        message = "The table already has %(most)s rows, the maximum."
        raise Refused(Fault((), "too_many_rows", message, {"most": f"{MOST_ROWS:,}"}))
    # The person sees one row, so that its line says nothing.
    refuse(row_faults(dataclasses.replace(content, rows=(row,)), [1]))
    return replace(table, actor, changed, based_on=based_on, note=note[:300])


def remove_row(table: LookupTable, actor: Actor, key: str, *, based_on: int) -> LookupVersion:
    """Remove the row with the key. Raises Refused, also for the last row, and ChangedMeanwhile."""
    content = _content(table)
    at = row_with(content, key)
    if at is None:
        message = "The table has no key “%(key)s”."
        raise Refused(Fault(("key",), "no_key", message, {"key": key[:60]}))
    if len(content.rows) == 1:
        message = "This is the last row, and a table needs at least one. Delete the table instead."
        raise Refused(Fault(("key",), "last_row", message))
    rows = (*content.rows[:at], *content.rows[at + 1 :])
    note = f"Removed “{content.rows[at][0]}”."[:300]
    return replace(
        table, actor, dataclasses.replace(content, rows=rows), based_on=based_on, note=note
    )


def delete(table: LookupTable, actor: Actor) -> None:
    """Delete a table that nothing uses. Raises Refused, which names what uses it."""
    with transaction.atomic():
        lock_templates(table.tenant_id)
        using = [template.name for template in queries.users(table.tenant_id).get(table.name, [])]
        if using:
            named = ", ".join(f"“{name}”" for name in using[:5])
            more = f" and {len(using) - 5} more" if len(using) > 5 else ""
            message = "It is used by %(templates)s. Remove it from these templates first."
            raise Refused(Fault((), "table_used", message, {"templates": f"{named}{more}"}))
        if count := queries.unfinished(table).count():
            jobs = "One import" if count == 1 else f"{count:,} imports"
            message = "%(jobs)s that runs or waits uses it. Try again later."
            raise Refused(Fault((), "table_in_jobs", message, {"jobs": jobs}))
        _audit(table, actor, "lookup.delete")
        table.delete()


def _name_faults(tenant: Tenant, name: str) -> list[Fault]:
    if not name.strip() or name != name.strip() or len(name) > 200 or not name.isprintable():
        message = "name: expected 1 to 200 characters on one line."
        return [Fault(("name",), "name_length", message)]
    tables = LookupTable.objects.filter(tenant=tenant)
    if tables.filter(name=name).exists():
        message = "There is already a look-up table named “%(name)s”. Choose another name."
        return [Fault(("name",), "name_taken", message, {"name": name})]
    if tables.count() >= MOST_TABLES:
        message = "There are %(most)s look-up tables already, the maximum."
        return [Fault((), "too_many_tables", message, {"most": MOST_TABLES})]
    return []


def _template_faults(table: LookupTable, content: Table) -> list[Fault]:
    """The templates that take a column which the new content does not have."""
    faults: list[Fault] = []
    for template in queries.users(table.tenant_id).get(table.name, []):
        try:
            spec = parse(template.current.spec if template.current else {})
        except BadSpec:
            continue
        message, name = "The template “%(template)s”: %(fault)s", template.name
        faults += [
            Fault((), fault.code, message, {"template": name, "fault": str(fault)})
            for fault in missing_columns(spec, {table.name: content.columns})
        ]
    return faults


def _content(table: LookupTable) -> Table:
    """As it is stored now. Raises Refused."""
    content = pinned_lookups.current(table.tenant_id, [table.name]).get(table.name)
    if content is None:
        raise _deleted()
    return content


def _deleted() -> Refused:
    return Refused(Fault((), "deleted_meanwhile", "The table was deleted in the meantime."))


def _same(version: LookupVersion, content: Table) -> bool:
    stored = (version.columns, version.rows, version.fold)
    return stored == (list(content.columns), [list(row) for row in content.rows], content.fold)


def _locked(table: LookupTable, based_on: int) -> LookupVersion:
    rows = LookupTable.objects.filter(tenant_id=table.tenant_id, pk=table.pk)
    rows = rows.select_for_update(no_key=True, of=("self",)).select_related("current__user")
    fresh = rows.first()
    if fresh is None or fresh.current is None:
        raise _deleted()
    if fresh.current.number != based_on:
        raise saved_meanwhile(fresh.current)
    return fresh.current


def _add_version(
    table: LookupTable, actor: Actor, content: Table, number: int, note: str
) -> LookupVersion:
    version = LookupVersion.objects.create(
        tenant_id=table.tenant_id,
        table=table,
        number=number,
        columns=list(content.columns),
        rows=[list(row) for row in content.rows],
        row_count=len(content.rows),
        fold=content.fold,
        note=note[:300],
        user=actor.user,
    )
    LookupTable.objects.filter(pk=table.pk).update(current=version)
    table.current = version
    _delete_old_versions(table, number)
    return version


def _delete_old_versions(table: LookupTable, newest: int) -> None:
    """Delete the oldest versions, except those that a job still runs with."""
    noted = {job.lookups[table.name] for job in queries.unfinished(table).only("lookups")}
    old = table.versions.filter(number__lte=newest - MOST_VERSIONS)
    old.exclude(number__in=noted).delete()


def _audit(table: LookupTable, actor: Actor, action: str, **detail: Any) -> None:
    audit.record(
        table.tenant_id,
        action,
        str(table.uid),
        user=actor.user,
        address=actor.address,
        name=table.name,
        **detail,
    )
