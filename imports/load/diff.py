"""The first rows of a plan, as a page shows them: created, changed field by field, removed.

Kept with a job that is held or a dry run, bounded in rows, fields and characters. Source: design.md
section 7 (a field-level diff).
"""

from __future__ import annotations

import json
from typing import Any, LiteralString

from django.db import connection, transaction
from psycopg import sql

from imports.issues import SHOWN_CHARACTERS
from imports.load.plan import Absent, Value, choose_join
from imports.load.staging import StagingTable
from imports.load.stored import Target

ROWS = 20
FIELDS = 100

Detail = dict[str, list[dict[str, Any]]]


def detail(staging: StagingTable, target: Target, staged: int, absent: Absent | None) -> Detail:
    """The first ROWS of each kind, as JSON: {"creates": […], "updates": […], "removes": […]}.

    A create or remove is {line, key, record: {field: value}}; an update is {line, key, changes:
    {field: [before, after]}, returns} where returns is true if the record was removed before.
    line is null where no row of the file asks for it (a mirror's absent records). Where fields are
    left out, left_out says how many.
    """
    with transaction.atomic():
        choose_join(staged)
        return {
            "creates": [_whole(*row) for row in _creates(staging)],
            "updates": [_changed(*row) for row in _updates(staging)],
            "removes": [_whole(*row) for row in _removes(staging, target, absent)],
        }


def _creates(staging: StagingTable) -> list[tuple[Any, ...]]:
    return _fetch(
        staging,
        "SELECT s.line, s.key, s.data FROM {rows} s WHERE NOT EXISTS "
        "(SELECT FROM {matches} m WHERE m.line = s.line) ORDER BY s.line LIMIT {limit}",
    )


def _updates(staging: StagingTable) -> list[tuple[Any, ...]]:
    return _fetch(
        staging,
        "WITH first AS (SELECT line, id FROM "
        "{matches} WHERE verdict = 'update' ORDER BY line LIMIT {limit}) "
        "SELECT line, r.key, r.active, r.data, s.data FROM first "
        "JOIN {rows} s USING (line) JOIN portal_record r USING (id) ORDER BY line",
    )


def _removes(staging: StagingTable, target: Target, absent: Absent | None) -> list[tuple[Any, ...]]:
    values: list[Value] = []
    removed = staging.statement("SELECT line, id FROM {matches} WHERE verdict = 'remove'")
    if absent is not None:
        query, values = absent.query(staging, target)
        removed += sql.SQL(" UNION ALL SELECT NULL, id FROM ({}) a").format(query)
    return _fetch(
        staging,
        "WITH first AS (SELECT line, id FROM ({removed}) x ORDER BY line, id LIMIT {limit}) "
        "SELECT line, r.key, r.data FROM first JOIN portal_record r USING (id) ORDER BY line, id",
        *values,
        removed=removed,
    )


def _fetch(
    staging: StagingTable, text: LiteralString, *values: Value, **parts: sql.Composable
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(staging.statement(text, limit=sql.Literal(ROWS), **parts), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _whole(line: int | None, key: str, data: str) -> dict[str, Any]:
    record = {name: _short(value) for name, value in json.loads(data).items()}
    return {"line": line, "key": _short(key), **_bounded("record", record)}


def _changed(line: int, key: str, active: bool, before: str, after: str) -> dict[str, Any]:
    old, new = json.loads(before), json.loads(after)
    changes = {
        name: [_short(old.get(name)), _short(value)]
        for name, value in new.items()
        if old.get(name) != value
    }
    return {"line": line, "key": _short(key), "returns": not active, **_bounded("changes", changes)}


def _bounded(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    kept = dict(list(fields.items())[:FIELDS])
    left_out = len(fields) - len(kept)
    return {name: kept, **({"left_out": left_out} if left_out else {})}


def _short(value: Any) -> Any:
    """The value, its texts cut at SHOWN_CHARACTERS; of a list the first ROWS."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARACTERS else value[: SHOWN_CHARACTERS - 1] + "…"
    return [_short(item) for item in value[:ROWS]] if isinstance(value, list) else value
