"""How a row looks in a file, as SQL for COPY: cells for CSV, one object for JSON.

Nothing foreign is put into a statement unquoted: psycopg quotes paths, names and constants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from exports.layout import RECORD_CHANGE, WHOLE, Column, Tree, nested, steps

_STAMP = '\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\''


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of a part are read. plain: SQL of what is no member of the document, by path;
    raw: those of them that are JSON already. document: SQL of the jsonb. order: of rows."""

    document: sql.SQL
    order: sql.SQL
    plain: Mapping[str, sql.SQL]
    raw: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class ShapePart:
    """Rows of one source. origin: FROM and WHERE. is_late: happened before the run's window."""

    shape: Shape
    origin: sql.Composed
    is_late: bool = False


EVENT = Shape(
    sql.SQL("e.payload"),
    sql.SQL("e.at"),
    {
        "id": sql.SQL("e.uid"),
        "timestamp": sql.SQL(f"to_char(e.at AT TIME ZONE 'UTC', {_STAMP})"),
        "event": sql.SQL("e.type"),
        "subject": sql.SQL("e.subject"),
    },
)
# U+001F separates the fields of a key in the store.
_KEY = "translate(r.key, E'\\x1f', '|')"
CHANGE = Shape(
    sql.SQL(
        f"jsonb_build_object('recordType', k.name, 'key', {_KEY}, 'action', CASE "
        "WHEN NOT r.active THEN 'removed' WHEN r.created_job = r.changed_job THEN 'created' "
        "ELSE 'updated' END, 'job', j.uid, 'data', r.data)"
    ),
    sql.SQL("r.changed_at, r.id"),
    {
        "id": sql.SQL("j.uid || ':' || r.id"),
        "timestamp": sql.SQL(f"to_char(r.changed_at AT TIME ZONE 'UTC', {_STAMP})"),
        "event": sql.SQL(f"'{RECORD_CHANGE}'::text"),
        "subject": sql.SQL(_KEY),
    },
)
RECORD = Shape(
    sql.SQL("r.data"),
    sql.SQL("r.key"),
    {
        "key": sql.SQL(_KEY),
        "active": sql.SQL("r.active::text"),
        "changedAt": sql.SQL(f"to_char(r.changed_at AT TIME ZONE 'UTC', {_STAMP})"),
    },
    frozenset({"active"}),
)


def cells(part: ShapePart, chosen: Sequence[Column]) -> sql.Composed:
    """SELECT of the columns' values as text; a null, or what is not there, is a null."""
    values = [_text(part.shape, column) for column in chosen]
    return _select(part, sql.SQL(", ").join(values))


def objects(part: ShapePart, chosen: Sequence[Column]) -> sql.Composed:
    """SELECT of one JSON object a row, as text; the whole event or record where none is chosen."""
    document = _object(part.shape, nested(chosen)) if chosen else _whole(part.shape)
    return _select(part, document)


def _select(part: ShapePart, values: sql.Composable) -> sql.Composed:
    return sql.SQL("SELECT {} {} ORDER BY {}").format(values, part.origin, part.shape.order)


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
    return sql.SQL("{} #>> {}").format(shape.document, array(path))


def _value(shape: Shape, column: Column) -> sql.Composable:
    """A column's value as JSON text, of the kind that it is stored with."""
    path = column.path
    if not path:
        return sql.Literal(json.dumps(column.constant))
    if path in shape.plain:
        return shape.plain[path] if path in shape.raw else _quoted(shape.plain[path])
    if path == WHOLE:
        return sql.SQL("{}::text").format(shape.document)
    return sql.SQL("COALESCE(({} #> {})::text, 'null')").format(shape.document, array(path))


def _object(shape: Shape, tree: Tree) -> sql.Composed:
    """One text of many pieces: a function takes a hundred arguments, `||` any number."""
    pieces: list[sql.Composable] = []
    for number, (name, inner) in enumerate(tree.items()):
        pieces.append(sql.Literal(f"{'{' if number == 0 else ', '}{json.dumps(name)}: "))
        pieces.append(_value(shape, inner) if isinstance(inner, Column) else _object(shape, inner))
    pieces.append(sql.Literal("}"))
    return sql.SQL("({})").format(sql.SQL(" || ").join(pieces))


def _whole(shape: Shape) -> sql.Composed:
    """The event as the webhook sends it: its own members first, then all of the document's."""
    pieces: list[sql.Composable] = []
    for number, (name, value) in enumerate(shape.plain.items()):
        key = sql.Literal(f"{'{' if number == 0 else ', '}{json.dumps(name)}: ")
        shown = value if name in shape.raw else _quoted(value)
        piece = sql.SQL("{} || {}").format(key, shown)
        if name == "subject":  # many events have none
            piece = sql.SQL("CASE WHEN {} = '' THEN '' ELSE {} END").format(value, piece)
        pieces.append(piece)
    rest = sql.SQL(
        "COALESCE(', ' || substr(NULLIF(({} - {}::text[])::text, '{{}}'), 2), '}}')"
    ).format(shape.document, sql.Literal(list(shape.plain)))
    return sql.SQL(" || ").join([*pieces, rest])


def _quoted(value: sql.Composable) -> sql.Composed:
    return sql.SQL("to_json({})::text").format(value)


def array(path: str) -> sql.Composed:
    """A dotted path as PostgreSQL takes it."""
    return sql.SQL("{}::text[]").format(sql.Literal(list(steps(path))))
