"""What a person does with look-up tables: make, replace, change a row, delete.

Who may is checked by the caller. Each change is a whole new version, put in place of the one
before in one transaction; it names the version it was made from, so that of two people who save
at once the second is told. No template is left with a table or column that is not there.
"""

from __future__ import annotations

from dataclasses import replace as with_changes
from typing import Any

from django.db import transaction

from imports.jobs import pinned_lookups
from imports.mapping.definitions import BadSpec
from imports.mapping.parsing import parse
from imports.mapping.table_files import MOST_ROWS, row_faults
from imports.mapping.tables import Row, Table, lacking, place_of
from imports.models import LookupTable, LookupVersion
from imports.templates import rules
from imports.templates.actions import Actor
from imports.templates.lookups import queries
from imports.templates.rules import Refused
from portal import audit
from portal.models import Tenant

MOST_TABLES = 200
MOST_VERSIONS = 20


def create(tenant: Tenant, actor: Actor, name: str, table: Table, note: str = "") -> LookupTable:
    """A new table with its version 1. Raises Refused."""
    with transaction.atomic():
        rules.alone(tenant.pk)
        _refuse(_name_faults(tenant, name))
        made = LookupTable.objects.create(tenant=tenant, name=name)
        _add_version(made, actor, table, 1, note)
        _audit(made, actor, "lookup.create", rows=len(table.rows))
    return made


def replace(
    table: LookupTable, actor: Actor, content: Table, *, based_on: int, note: str = ""
) -> LookupVersion:
    """Put other content in the place of the present one. Raises Refused."""
    with transaction.atomic():
        rules.alone(table.tenant_id)
        current = _locked(table, based_on)
        if _same(current, content):
            raise Refused("The table already has this content. Nothing was changed.")
        _refuse(_left_behind(table, content))
        made = _add_version(table, actor, content, current.number + 1, note)
        _audit(table, actor, "lookup.version", version=made.number, rows=len(content.rows))
    return made


def set_row(table: LookupTable, actor: Actor, row: Row, *, based_on: int) -> LookupVersion:
    """Say what one key stands for, a new key or one that is there. Raises Refused."""
    content = _content(table)
    place = place_of(content, row[0])
    rows = list(content.rows)
    if place is None:
        rows.append(row)
        note = f"Added “{row[0]}”."
    else:
        rows[place] = row
        note = f"Changed “{row[0]}”."
    changed = with_changes(content, rows=tuple(rows))
    if len(rows) > MOST_ROWS:
        raise Refused(f"The table already has {MOST_ROWS:,} rows, the maximum.")
    faults = row_faults(with_changes(content, rows=(row,)), [(place or len(rows) - 1) + 2])
    _refuse([fault.partition(": ")[2] for fault in faults])
    return replace(table, actor, changed, based_on=based_on, note=note[:300])


def remove_row(table: LookupTable, actor: Actor, key: str, *, based_on: int) -> LookupVersion:
    """Take a key out. Raises Refused, also for the last one."""
    content = _content(table)
    place = place_of(content, key)
    if place is None:
        raise Refused(f"The table has no key “{key[:60]}”.")
    if len(content.rows) == 1:
        raise Refused(
            "This is the last row, and a table needs at least one. Delete the table instead."
        )
    rows = (*content.rows[:place], *content.rows[place + 1 :])
    note = f"Removed “{content.rows[place][0]}”."[:300]
    return replace(table, actor, with_changes(content, rows=rows), based_on=based_on, note=note)


def delete(table: LookupTable, actor: Actor) -> None:
    """Remove a table that nothing uses. Raises Refused, naming who does."""
    with transaction.atomic():
        rules.alone(table.tenant_id)
        using = [one.name for one in queries.users(table.tenant_id).get(table.name, [])]
        if using:
            named = ", ".join(f"“{name}”" for name in using[:5])
            more = f" and {len(using) - 5} more" if len(using) > 5 else ""
            raise Refused(f"It is used by {named}{more}. Remove it from these templates first.")
        if count := queries.unfinished(table).count():
            jobs = "One import" if count == 1 else f"{count:,} imports"
            raise Refused(f"{jobs} that runs or waits uses it. Try again later.")
        _audit(table, actor, "lookup.delete")
        table.delete()


def _name_faults(tenant: Tenant, name: str) -> list[str]:
    if not name.strip() or name != name.strip() or len(name) > 200 or not name.isprintable():
        return ["name: expected 1 to 200 characters on one line."]
    found = LookupTable.objects.filter(tenant=tenant)
    if found.filter(name=name).exists():
        return [f"There is already a look-up table named “{name}”. Choose another name."]
    if found.count() >= MOST_TABLES:
        return [f"There are {MOST_TABLES} look-up tables already, the maximum."]
    return []


def _left_behind(table: LookupTable, content: Table) -> list[str]:
    """The templates that take a column which the new content does not have."""
    faults = []
    for template in queries.users(table.tenant_id).get(table.name, []):
        try:
            spec = parse(template.current.spec if template.current else {})
        except BadSpec:
            continue
        told = lacking(spec, {table.name: content.columns})
        faults += [f"The template “{template.name}”: {fault}" for fault in told]
    return faults


def _content(table: LookupTable) -> Table:
    """As it is stored now. Raises Refused."""
    found = pinned_lookups.current(table.tenant_id, [table.name]).get(table.name)
    if found is None:
        raise Refused("The table was deleted in the meantime.")
    return found


def _same(version: LookupVersion, content: Table) -> bool:
    stored = (version.columns, version.rows, version.fold)
    return stored == (list(content.columns), [list(row) for row in content.rows], content.fold)


def _locked(table: LookupTable, based_on: int) -> LookupVersion:
    rows = LookupTable.objects.filter(tenant_id=table.tenant_id, pk=table.pk)
    fresh = rows.select_for_update(no_key=True, of=("self",)).select_related("current__user")
    found = fresh.first()
    if found is None or found.current is None:
        raise Refused("The table was deleted in the meantime.")
    if found.current.number != based_on:
        who = f" by {found.current.user}" if found.current.user else ""
        raise Refused(
            f"Version {found.current.number} was saved{who} in the meantime, so your "
            "changes were not saved. Review that version, then save again."
        )
    return found.current


def _add_version(
    table: LookupTable, actor: Actor, content: Table, number: int, note: str
) -> LookupVersion:
    made = LookupVersion.objects.create(
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
    LookupTable.objects.filter(pk=table.pk).update(current=made)
    table.current = made
    _forget(table, number)
    return made


def _forget(table: LookupTable, newest: int) -> None:
    """Drop the oldest versions, save those that a job still runs with."""
    noted = {job.lookups[table.name] for job in queries.unfinished(table).only("lookups")}
    old = table.versions.filter(number__lte=newest - MOST_VERSIONS)
    old.exclude(number__in=noted).delete()


def _refuse(faults: list[str]) -> None:
    if faults:
        raise Refused(*faults)


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
