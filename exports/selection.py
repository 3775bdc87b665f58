"""Which rows a run's file holds, and how they look, as SQL for COPY.

Every night takes what its own snapshot sees and the night before did not: by the time it happened,
or, where it came late, by the transaction that brought it (docs/decisions/0010). Nothing foreign
stands raw in a statement: paths, names and constants are literals quoted by psycopg.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from exports.layout import RECORD_CHANGE, WHOLE, Column, Tree, nested, steps
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
    """What a run covers. since: nothing that happened earlier is ever sent; for a run that a
    person asked for, and without a night before, the beginning of the window."""

    tenant_id: int
    since: datetime
    start: datetime
    end: datetime
    before: Before | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of a part are read. plain: SQL of what is no member of the document, by path;
    raw: those of them that are JSON as they stand. document: SQL of the jsonb."""

    document: sql.SQL
    plain: Mapping[str, sql.SQL]
    raw: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one source. origin: FROM and WHERE. is_late: happened before the run's window."""

    shape: Shape
    origin: sql.Composed
    is_late: bool = False


_EVENT = Shape(
    sql.SQL("e.payload"),
    {
        "id": sql.SQL("e.uid"),
        "timestamp": sql.SQL(f"to_char(e.at AT TIME ZONE 'UTC', {_STAMP})"),
        "event": sql.SQL("e.type"),
        "subject": sql.SQL("e.subject"),
    },
)
# U+001F parts the fields of a key in the store.
_KEY = "translate(r.key, E'\\x1f', '|')"
_CHANGE = Shape(
    sql.SQL(
        f"jsonb_build_object('recordType', k.name, 'key', {_KEY}, 'action', CASE "
        "WHEN NOT r.active THEN 'removed' WHEN r.created_job = r.changed_job THEN 'created' "
        "ELSE 'updated' END, 'job', j.uid, 'data', r.data)"
    ),
    {
        "id": sql.SQL("j.uid || ':' || r.id"),
        "timestamp": sql.SQL(f"to_char(r.changed_at AT TIME ZONE 'UTC', {_STAMP})"),
        "event": sql.SQL(f"'{RECORD_CHANGE}'::text"),
        "subject": sql.SQL(_KEY),
    },
)
_RECORD = Shape(
    sql.SQL("r.data"),
    {
        "key": sql.SQL(_KEY),
        "active": sql.SQL("r.active::text"),
        "changedAt": sql.SQL(f"to_char(r.changed_at AT TIME ZONE 'UTC', {_STAMP})"),
    },
    frozenset({"active"}),
)


def parts(raw: Connection[Any], source: Mapping[str, Any], bounds: Bounds) -> list[Part]:
    """The parts of a file, late ones first. source: as `Export.source`. The connection's
    transaction must have the snapshot that the file is to hold."""
    if name := source.get("records"):
        if not source.get("changed"):
            return [_all_records(bounds, name)]
        return list(_changed(raw, bounds, name))
    types = list(source.get("events") or [])
    stored = [name for name in types if name != RECORD_CHANGE]
    found: list[Part] = []
    if stored or not types:
        found += (
            Part(_EVENT, _events(bounds, when, stored), late) for when, late in _spans(bounds)
        )
    if RECORD_CHANGE in types:
        found += _changes(raw, bounds)
    return found


def cells(part: Part, chosen: Sequence[Column]) -> sql.Composed:
    """SELECT of the columns' values as text; a null, or what is not there, is a null."""
    values = [_text(part.shape, column) for column in chosen]
    return sql.SQL("SELECT {} {}").format(sql.SQL(", ").join(values), part.origin)


def objects(part: Part, chosen: Sequence[Column]) -> sql.Composed:
    """SELECT of one JSON object a row, as text; the whole event or record where none is chosen."""
    one = _object(part.shape, nested(chosen)) if chosen else _whole(part.shape)
    return sql.SQL("SELECT {} {}").format(one, part.origin)


def unknown(
    raw: Connection[Any], found: Sequence[Part], source: Mapping[str, Any], chosen: Sequence[Column]
) -> list[str]:
    """The paths of columns that no selected row has. A member that is null is one that is there.

    Looks at all rows only for paths that the first thousand do not have.
    """
    known = _fields_of(source)
    paths = [c.path for c in chosen if c.path and c.path != WHOLE and c.path not in known]
    for limit in (_SAMPLE, None):
        for part in found:
            paths = _without(raw, part, [p for p in paths if p not in part.shape.plain], limit)
    return list(dict.fromkeys(paths))


def _fields_of(source: Mapping[str, Any]) -> set[str]:
    """Fields of a record type need no row that has them."""
    if name := source.get("records"):
        return {one.name for one in catalog().record_type(name).fields}
    return set()


def _without(raw: Connection[Any], part: Part, paths: list[str], limit: int | None) -> list[str]:
    """Those of the paths that none of the part's (first) rows has."""
    if not paths:
        return []
    there = sql.SQL(", ").join(
        sql.SQL("({} #> {}) IS NOT NULL AS c{}").format(
            part.shape.document, _array(path), sql.SQL(str(number))
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
    """Conditions on events that part what the run holds, each with whether it is late.

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


def _all_records(bounds: Bounds, name: str) -> Part:
    return Part(
        _RECORD,
        sql.SQL(
            "FROM portal_record r WHERE r.tenant_id = {} AND r.kind_id = {} AND r.active"
        ).format(sql.Literal(bounds.tenant_id), _kind(name)),
    )


def _changed(raw: Connection[Any], bounds: Bounds, name: str) -> Iterator[Part]:
    for jobs, late in _jobs(raw, bounds, name):
        origin = sql.SQL(
            "FROM portal_record r WHERE r.tenant_id = {} AND r.kind_id = {} "
            "AND r.changed_job = ANY({}::bigint[])"
        ).format(sql.Literal(bounds.tenant_id), _kind(name), sql.Literal(list(jobs)))
        yield Part(_RECORD, origin, late)


def _changes(raw: Connection[Any], bounds: Bounds) -> Iterator[Part]:
    for jobs, late in _jobs(raw, bounds):
        origin = sql.SQL(
            "FROM portal_record r JOIN portal_recordkind k ON k.id = r.kind_id "
            "JOIN unnest({}::bigint[], {}::text[]) AS j (number, uid) ON j.number = r.changed_job "
            "WHERE r.tenant_id = {}"
        ).format(
            sql.Literal(list(jobs)), sql.Literal(list(jobs.values())), sql.Literal(bounds.tenant_id)
        )
        yield Part(_CHANGE, origin, late)


def _kind(name: str) -> sql.Composed:
    return sql.SQL("(SELECT id FROM portal_recordkind WHERE name = {})").format(sql.Literal(name))


def _jobs(
    raw: Connection[Any], bounds: Bounds, record_type: str = ""
) -> Iterator[tuple[dict[int, str], bool]]:
    """Imports that are news to the run, number to uid, by whether they are late.

    What an import changed became visible with its event, in one transaction. Only the portal's own
    events count: a client may send what it likes.
    """
    of_type = sql.SQL("")
    if record_type:
        of_type = sql.SQL("AND e.payload ->> 'recordType' = {}").format(sql.Literal(record_type))
    for when, late in _spans(bounds):
        statement = sql.SQL(
            "SELECT (e.payload ->> 'number')::bigint, e.payload ->> 'job' {} {} "
            "AND e.source = 'portal'"
        ).format(_events(bounds, when, [FINISHED]), of_type)
        if jobs := dict(raw.execute(statement).fetchall()):
            yield jobs, late


def _text(shape: Shape, column: Column) -> sql.Composable:
    path = column.path
    if not path:
        return sql.SQL("{}::text").format(sql.Literal(column.constant))
    if path in shape.plain:
        return shape.plain[path]
    if path == WHOLE:
        return sql.SQL("{}::text").format(shape.document)
    if "." not in path:
        return sql.SQL("{} ->> {}").format(shape.document, sql.Literal(path))
    return sql.SQL("{} #>> {}").format(shape.document, _array(path))


def _value(shape: Shape, column: Column) -> sql.Composable:
    """A column's value as JSON text, of the kind that it is stored with."""
    path = column.path
    if not path:
        return sql.Literal(json.dumps(column.constant))
    if path in shape.plain:
        return shape.plain[path] if path in shape.raw else _quoted(shape.plain[path])
    if path == WHOLE:
        return sql.SQL("{}::text").format(shape.document)
    return sql.SQL("COALESCE(({} #> {})::text, 'null')").format(shape.document, _array(path))


def _object(shape: Shape, tree: Tree) -> sql.Composed:
    """One text of many pieces: a function takes a hundred arguments, `||` any number."""
    pieces: list[sql.Composable] = []
    for number, (name, inner) in enumerate(tree.items()):
        pieces.append(sql.Literal(f"{'{' if number == 0 else ','}{json.dumps(name)}:"))
        pieces.append(_value(shape, inner) if isinstance(inner, Column) else _object(shape, inner))
    pieces.append(sql.Literal("}"))
    return sql.SQL("({})").format(sql.SQL(" || ").join(pieces))


def _whole(shape: Shape) -> sql.Composed:
    """The event as the webhook sends it: its own members first, then all of the document's."""
    pieces: list[sql.Composable] = []
    for number, (name, value) in enumerate(shape.plain.items()):
        key = sql.Literal(f"{'{' if number == 0 else ','}{json.dumps(name)}:")
        shown = value if name in shape.raw else _quoted(value)
        piece = sql.SQL("{} || {}").format(key, shown)
        if name == "subject":  # many events have none
            piece = sql.SQL("CASE WHEN {} = '' THEN '' ELSE {} END").format(value, piece)
        pieces.append(piece)
    rest = sql.SQL("COALESCE(',' || substr(NULLIF(({} - {})::text, '{{}}'), 2), '}}')").format(
        shape.document, sql.Literal(list(shape.plain))
    )
    return sql.SQL(" || ").join([*pieces, rest])


def _quoted(value: sql.Composable) -> sql.Composed:
    return sql.SQL("to_json({})::text").format(value)


def _array(path: str) -> sql.Composed:
    return sql.SQL("{}::text[]").format(sql.Literal(list(steps(path))))
