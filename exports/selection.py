"""Which rows a run's file holds, as SQL.

Every night takes what its own snapshot sees and the night before did not: by the time it happened,
or, where it came late, by the transaction that brought it (docs/decisions/0014). Nothing foreign
is put into a statement unquoted (`exports/shapes.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from exports.layout import RECORD_CHANGE, WHOLE, Column
from exports.shapes import CHANGE, EVENT, RECORD, ShapePart, array
from portal.records.catalog import catalog

FINISHED = "importFinished"
_SAMPLE = 1000
_STAMP = '\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\''


@dataclass(frozen=True, slots=True)
class Before:
    """The night before: where its window ended, and the snapshot that its file holds."""

    window_end: datetime
    snapshot: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run covers. since: nothing that happened earlier is ever sent; the beginning of the
    window for a run that a person started, and for the first night."""

    tenant_id: int
    since: datetime
    start: datetime
    end: datetime
    before: Before | None = None


def parts(raw: Connection[Any], source: Mapping[str, Any], bounds: Bounds) -> list[ShapePart]:
    """The parts of a file, late ones first. source: as `Export.source`. The connection's
    transaction must have the snapshot that the file is to hold."""
    if name := source.get("records"):
        if not source.get("changed"):
            return [_all_records(bounds, name)]
        return list(_changed(raw, bounds, name))
    types = list(source.get("events") or [])
    stored = [name for name in types if name != RECORD_CHANGE]
    selected: list[ShapePart] = []
    if stored or not types:
        selected += (
            ShapePart(EVENT, _events(bounds, when, stored), late) for when, late in _spans(bounds)
        )
    if RECORD_CHANGE in types:
        selected += _changes(raw, bounds)
    return selected


def unknown(
    raw: Connection[Any],
    selected: Sequence[ShapePart],
    source: Mapping[str, Any],
    chosen: Sequence[Column],
) -> list[str]:
    """The paths of columns that no selected row has. A member that is null counts as there.

    Looks at all rows only for paths that the first thousand do not have.
    """
    fields = _fields_of(source)
    paths = [c.path for c in chosen if c.path and c.path != WHOLE and c.path not in fields]
    for limit in (_SAMPLE, None):
        for part in selected:
            paths = _without(raw, part, [p for p in paths if p not in part.shape.plain], limit)
    return list(dict.fromkeys(paths))


def _fields_of(source: Mapping[str, Any]) -> set[str]:
    """Fields of a record type need no row that has them."""
    if name := source.get("records"):
        return {field.name for field in catalog().record_type(name).fields}
    return set()


def _without(
    raw: Connection[Any], part: ShapePart, paths: list[str], limit: int | None
) -> list[str]:
    """Those of the paths that none of the part's (first) rows has."""
    if not paths:
        return []
    there = sql.SQL(", ").join(
        sql.SQL("({} #> {}) IS NOT NULL AS c{}").format(
            part.shape.document, array(path), sql.SQL(str(number))
        )
        for number, path in enumerate(paths)
    )
    any_of = sql.SQL(", ".join(f"bool_or(c{number})" for number in range(len(paths))))
    most = sql.SQL("LIMIT {}").format(sql.Literal(limit)) if limit else sql.SQL("")
    statement = sql.SQL("SELECT {} FROM (SELECT {} {} {}) AS s").format(
        any_of, there, part.origin, most
    )
    row = raw.execute(statement).fetchone() or ()
    return [path for path, is_there in zip(paths, row, strict=True) if not is_there]


def _spans(bounds: Bounds) -> Iterator[tuple[sql.Composed, bool]]:
    """Conditions on events that divide what the run holds, each with whether it is late.

    Late ones; those of nights whose run failed; those of the window.
    """
    before = bounds.before
    if before is not None:
        # The index bounds them by transaction: what the snapshot did not see is not below its xmin.
        yield (
            sql.SQL(
                "e.transaction >= {}::text::xid8 "
                "AND NOT pg_visible_in_snapshot(e.transaction, {}::text::pg_snapshot) "
                "AND e.at >= {} AND e.at < {}"
            ).format(
                sql.Literal(before.snapshot.partition(":")[0]),
                sql.Literal(before.snapshot),
                sql.Literal(bounds.since),
                sql.Literal(before.window_end),
            ),
            True,
        )
    reached = before.window_end if before else bounds.since
    if reached < bounds.start:
        yield _between(reached, bounds.start), True
    yield _between(bounds.start, bounds.end), False


def _between(first: datetime, end: datetime) -> sql.Composed:
    return sql.SQL("e.at >= {} AND e.at < {}").format(sql.Literal(first), sql.Literal(end))


def _events(bounds: Bounds, when: sql.Composed, types: Sequence[str]) -> sql.Composed:
    one_of = sql.SQL("AND e.type = ANY({})").format(sql.Literal(list(types)))
    if len(types) == 1:
        one_of = sql.SQL("AND e.type = {}").format(sql.Literal(types[0]))
    return sql.SQL("FROM portal_event e WHERE e.tenant_id = {} {} AND {}").format(
        sql.Literal(bounds.tenant_id), one_of if types else sql.SQL(""), when
    )


def _all_records(bounds: Bounds, name: str) -> ShapePart:
    return ShapePart(
        RECORD,
        sql.SQL(
            "FROM portal_record r WHERE r.tenant_id = {} AND r.kind_id = {} AND r.active"
        ).format(sql.Literal(bounds.tenant_id), _kind(name)),
    )


def _changed(raw: Connection[Any], bounds: Bounds, name: str) -> Iterator[ShapePart]:
    for jobs, late in _jobs(raw, bounds, name):
        origin = sql.SQL(
            "FROM portal_record r WHERE r.tenant_id = {} AND r.kind_id = {} "
            "AND r.changed_job = ANY({}::bigint[])"
        ).format(sql.Literal(bounds.tenant_id), _kind(name), sql.Literal(list(jobs)))
        yield ShapePart(RECORD, origin, late)


def _changes(raw: Connection[Any], bounds: Bounds) -> Iterator[ShapePart]:
    for jobs, late in _jobs(raw, bounds):
        origin = sql.SQL(
            "FROM portal_record r JOIN portal_recordkind k ON k.id = r.kind_id "
            "JOIN unnest({}::bigint[], {}::text[]) AS j (number, uid) ON j.number = r.changed_job "
            "WHERE r.tenant_id = {}"
        ).format(
            sql.Literal(list(jobs)), sql.Literal(list(jobs.values())), sql.Literal(bounds.tenant_id)
        )
        yield ShapePart(CHANGE, origin, late)


def _kind(name: str) -> sql.Composed:
    return sql.SQL("(SELECT id FROM portal_recordkind WHERE name = {})").format(sql.Literal(name))


def _jobs(
    raw: Connection[Any], bounds: Bounds, record_type: str = ""
) -> Iterator[tuple[dict[int, str], bool]]:
    """Imports that no earlier run holds, number to uid, by whether they are late.

    What an import changed became visible with its event, in one transaction. Only the portal's own
    events count: a client may send what it likes.
    """
    of_type: sql.Composable = sql.SQL("")
    if record_type:
        of_type = sql.SQL("AND e.payload ->> 'recordType' = {}").format(sql.Literal(record_type))
    for when, late in _spans(bounds):
        statement = sql.SQL(
            "SELECT (e.payload ->> 'number')::bigint, e.payload ->> 'job' {} {} "
            "AND e.source = 'portal'"
        ).format(_events(bounds, when, [FINISHED]), of_type)
        if jobs := dict(raw.execute(statement).fetchall()):
            yield jobs, late
