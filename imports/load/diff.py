"""The first rows of a plan, as a page shows them: created, changed field by field, removed.

Kept with a job that is held or a dry run, bounded in rows, fields and characters. Source: design.md
section 7 (a field-level diff).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from django.db import connection, transaction
from psycopg import sql

from imports.check.keys import SEPARATOR
from imports.issues import SHOWN_CHARACTERS
from imports.load import changes
from imports.load.measure import PlannedFile
from imports.load.plan import Value, choose_join
from imports.load.staging import StagingTable

ROWS = 20
FIELDS = 100
KEY_SEPARATOR = " / "

Detail = dict[str, list[dict[str, Any]]]


def detail(file: PlannedFile, since: datetime | None = None) -> Detail:
    """The first ROWS of each kind, as JSON: {"creates": […], "updates": […], "removes": […]}.

    A create or remove is {line, key, record: {field: value}}; an update is {line, key, changes:
    {field: [before, after]}, returns} where returns is true if the record was removed before. The
    key is shown as the file or the store spells it.
    line is null where no row of the file asks for it (a mirror's absent records). Where fields are
    left out, left_out says how many. "reused" are the updates that make somebody else of a record;
    "zeros" the creates whose key differs by leading zeros only, each with the `stored` key.
    since: when the plan was shown before; what was changed after that comes first, and its `since`
    is the name of the file that did.
    """
    key = file.record_type.key
    with transaction.atomic():
        choose_join(file.staged)
        parts = {
            "creates": [_whole(key, *row) for row in _creates(file.staging)],
            "updates": [_changed(key, *row) for row in _updates(file.staging, since)],
            "removes": [_whole(key, *row) for row in _removes(file, since)],
        }
        return {**parts, **_of_doubts(file)}


def _of_doubts(file: PlannedFile) -> Detail:
    """The examples of what the plan does to single records, where there are any."""
    parts: Detail = {}
    key, plan, fields = file.record_type.key, file.plan, changes.identity(file.record_type)
    if plan.updated and fields.is_enough:
        rows = _reused(file.staging, changes.becomes_another(fields))
        parts["reused"] = [_changed(key, *row) for row in rows]
    if plan.created and plan.stored and changes.may_lose_zeros(file.record_type):
        parts["zeros"] = [
            {**_whole(key, *row), "stored": _short(shown_key(key, folded, json.loads(data)))}
            for *row, folded, data in _zeros(file)
        ]
    return {name: rows for name, rows in parts.items() if rows}


def _creates(staging: StagingTable) -> list[tuple[Any, ...]]:
    return _fetch(
        staging,
        "SELECT s.line, s.key, s.data FROM {rows} s WHERE NOT EXISTS "
        "(SELECT FROM {matches} m WHERE m.line = s.line) ORDER BY s.line LIMIT {limit}",
    )


def _updates(staging: StagingTable, since: datetime | None) -> list[tuple[Any, ...]]:
    return _fetch(
        staging,
        "WITH first AS (SELECT m.line, m.id{untouched} FROM {matches} m{joined} "
        "WHERE m.verdict = 'update' ORDER BY 3, 1 LIMIT {limit}) "
        "SELECT line, r.key, r.active, r.data, s.data, untouched, j.file_name FROM first "
        "JOIN {rows} s USING (line) JOIN portal_record r USING (id) "
        "LEFT JOIN imports_importjob j ON j.id = r.changed_job ORDER BY untouched, line",
        **_later(since),
    )


def _reused(staging: StagingTable, condition: sql.Composable) -> list[tuple[Any, ...]]:
    return _fetch(
        staging,
        "SELECT s.line, r.key, r.active, r.data, s.data FROM {matches} m "
        "JOIN {rows} s USING (line) JOIN portal_record r USING (id) "
        "WHERE m.verdict = 'update' AND {condition} ORDER BY s.line LIMIT {limit}",
        condition=condition,
    )


def _zeros(file: PlannedFile) -> list[tuple[Any, ...]]:
    return _fetch(
        file.staging,
        "SELECT s.line, s.key, s.data, r.key, r.data FROM {fresh}{rest} "
        "ORDER BY s.line, r.key LIMIT {limit}",
        fresh=changes.fresh_rows(file.staging),
        rest=changes.without_zeros(file.record_type, file.target, file.plan.created),
    )


def _removes(file: PlannedFile, since: datetime | None) -> list[tuple[Any, ...]]:
    removed = file.staging.statement("SELECT line, id FROM {matches} WHERE verdict = 'remove'")
    values: list[Value] = []
    if file.absent is not None:
        query, values = file.absent.query(file.staging, file.target)
        removed += sql.SQL(" UNION ALL SELECT NULL, id FROM ({}) a").format(query)
    return _fetch(
        file.staging,
        "WITH first AS (SELECT m.line, m.id{untouched} FROM ({removed}) m{joined} "
        "ORDER BY 3, 1, 2 LIMIT {limit}) "
        "SELECT line, r.key, r.data, untouched, j.file_name FROM first "
        "JOIN portal_record r USING (id) LEFT JOIN imports_importjob j ON j.id = r.changed_job "
        "ORDER BY untouched, line, r.id",
        *values,
        removed=removed,
        **_later(since),
    )


def _later(since: datetime | None) -> dict[str, sql.Composable]:
    """The column that puts first what was changed since then, and the join that it needs."""
    if since is None:
        return {"untouched": sql.SQL(", true AS untouched"), "joined": sql.SQL("")}
    return {
        "untouched": sql.SQL(", r.changed_at <= {} AS untouched").format(sql.Literal(since)),
        "joined": sql.SQL(" JOIN portal_record r ON r.id = m.id"),
    }


def _fetch(
    staging: StagingTable, text: LiteralString, *values: Value, **parts: sql.Composable
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(staging.statement(text, limit=sql.Literal(ROWS), **parts), values or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _whole(
    names: Sequence[str],
    line: int | None,
    key: str,
    data: str,
    untouched: bool = True,
    changer: str | None = None,
) -> dict[str, Any]:
    document = json.loads(data)
    record = {name: _short(value) for name, value in document.items()}
    row = {"line": line, "key": _short(shown_key(names, key, document))}
    return {**row, **_since(untouched, changer), **_bounded("record", record)}


def _changed(
    names: Sequence[str],
    line: int,
    key: str,
    active: bool,
    before: str,
    after: str,
    untouched: bool = True,
    changer: str | None = None,
) -> dict[str, Any]:
    old, new = json.loads(before), json.loads(after)
    differences = {
        name: [_short(old.get(name)), _short(value)]
        for name, value in new.items()
        if old.get(name) != value
    }
    row = {"line": line, "key": _short(shown_key(names, key, new)), "returns": not active}
    return {**row, **_since(untouched, changer), **_bounded("changes", differences)}


def _since(untouched: bool, changer: str | None) -> dict[str, str]:
    return {} if untouched else {"since": changer or "?"}


def shown_key(names: Sequence[str], key: str, document: dict[str, Any]) -> str:
    """The key as the file spells it. key: as it is stored, folded and perhaps shortened."""
    if names and all(document.get(name) for name in names):
        return KEY_SEPARATOR.join(str(document[name]) for name in names)
    return key.replace(SEPARATOR, KEY_SEPARATOR)


def _bounded(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    kept = dict(list(fields.items())[:FIELDS])
    left_out = len(fields) - len(kept)
    return {name: kept, **({"left_out": left_out} if left_out else {})}


def _short(value: Any) -> Any:
    """The value, its texts cut at SHOWN_CHARACTERS; of a list the first ROWS."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARACTERS else value[: SHOWN_CHARACTERS - 1] + "…"
    return [_short(item) for item in value[:ROWS]] if isinstance(value, list) else value
