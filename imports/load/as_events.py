"""The new rows of an event feed become events, by one statement in the apply's transaction.

A column's dotted name nests: `userDetail.id` becomes {"userDetail": {"id": …}}. A row whose id is
an event already changes nothing. An undo takes the records back, not the events: they may have
been passed on. Source: research notes 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString

from django.db import connection
from psycopg import sql

from imports.check.columns import ColumnMapping, fold
from imports.load.staging import StagingTable
from imports.load.stored import Target
from portal.events.payloads import DEEPEST
from portal.records.definitions import RecordType

RECORD_TYPE = "event"
_OWN = ("id", "timestamp", "event", "subject", "payload")
_PAIRS = 50  # a function takes 100 arguments
# A time without an offset is the tenant's; the server may not know the zone by its name.
_INSERT: LiteralString = """
INSERT INTO portal_event (tenant_id, uid, type, at, subject, payload, source)
SELECT %s, s.data ->> 'id', s.data ->> 'event',
    CASE WHEN right(s.data ->> 'timestamp', 1) = 'Z' THEN (s.data ->> 'timestamp')::timestamptz
    ELSE (s.data ->> 'timestamp')::timestamp AT TIME ZONE %s END,
    coalesce(s.data ->> 'subject', ''),
    {payload} || coalesce((s.data ->> 'payload')::jsonb, '{{}}'), 'file'
FROM {rows} s WHERE NOT EXISTS (SELECT FROM {matches} m WHERE m.line = s.line)
ORDER BY 2 ON CONFLICT (tenant_id, uid) DO NOTHING
"""
_ZONE = """
SELECT coalesce((SELECT zone.name FROM pg_timezone_names zone WHERE zone.name = tenant.time_zone),
    'UTC') FROM portal_tenant tenant WHERE tenant.id = %s
"""

Tree = dict[str, Any]


def pass_on(
    record_type: RecordType, staging: StagingTable, target: Target, columns: ColumnMapping
) -> int:
    """Insert the events, if the rows are such; how many. Must run in the apply's transaction."""
    if record_type.name != RECORD_TYPE:
        return 0
    payload, values = _object(nested(payload_members(columns)))
    statement = staging.statement(_INSERT, payload=payload)
    with connection.cursor() as cursor:
        cursor.execute(_ZONE, [target.tenant_id])
        (zone,) = cursor.fetchone()
        cursor.execute(statement, [target.tenant_id, zone, *values])
        return int(cursor.rowcount)


def payload_members(columns: ColumnMapping) -> dict[str, str]:
    """The payload's members, to the fields that they are taken from.

    A column `user` that gives the subject stays a member too.
    """
    members = {f.name: f.name for f in columns.fields if f.name not in _OWN}
    if fold(columns.spelled.get("subject", "")) == "user":
        members.setdefault("user", "subject")
    return members


def nested(members: Mapping[str, str]) -> Tree:
    """Dotted names as a tree; a leaf is the field's name.

    A name stays as it is where a part of it is empty, is a column itself, or is too deep.
    """
    tree: Tree = {}
    for name, field in members.items():
        parts = name.split(".")
        above = {".".join(parts[:n]) for n in range(1, len(parts))}
        if not all(parts) or len(parts) >= DEEPEST or above & members.keys():
            tree[name] = field
            continue
        branch = tree
        for part in parts[:-1]:
            branch = branch.setdefault(part, {})
        branch[parts[-1]] = field
    return tree


def _object(tree: Tree) -> tuple[sql.Composable, list[str]]:
    """An expression for the object, without members that are blank, and its values."""
    pairs = [_pair(name, value) for name, value in tree.items()]
    objects = [
        sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(text for text, _ in batch))
        for batch in (pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS))
    ]
    whole = sql.SQL(" || ").join(objects) if objects else sql.SQL("'{}'")
    values = [value for _, values in pairs for value in values]
    return sql.SQL("jsonb_strip_nulls({})").format(whole), values


def _pair(name: str, value: str | Tree) -> tuple[sql.Composable, list[str]]:
    if isinstance(value, str):
        return sql.SQL("%s::text, s.data -> %s"), [name, value]
    member, values = _object(value)
    return sql.SQL("%s::text, nullif({}, '{{}}')").format(member), [name, *values]
