"""Values that went to other records: a column that was sorted or shifted alone, or two exchanged.

Counted in sets by SQL over the changed records. Only names, e-mail addresses and titles are looked
at: that many records with the same status say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import LiteralString

from django.db import connection
from psycopg import sql

from imports.load import changes
from imports.load.measured import Moved
from imports.load.staging import StagingTable
from portal.records.definitions import FieldType, RecordType

LEAST = 10  # changed records below which a coincidence is likely
MOST = 200_000  # beyond so many changes a limit asks in any case
_DIFFERENT = 5  # values that a field must have had for a move to mean something
_SHARE = 0.9  # of the changed records whose value another one had before
_TEXTS = (FieldType.TEXT, FieldType.EMAIL)

_STATEMENT: LiteralString = (
    "WITH c AS MATERIALIZED (SELECT v.name, lower(v.old) AS old, lower(v.new) AS new FROM ("
    "SELECT r.data AS before, s.data AS after {changed} AND r.active) d"
    " CROSS JOIN LATERAL (VALUES {fields}) v(name, old, new)"
    " WHERE v.old <> v.new AND v.old <> '' AND v.new <> '')"
    " SELECT t.name, t.changed, t.before, t.after, coalesce(x.moved, 0) FROM (SELECT name,"
    " count(*) AS changed, count(DISTINCT old) AS before, count(DISTINCT new) AS after"
    " FROM c GROUP BY 1) t LEFT JOIN (SELECT name, sum(least(o.n, w.n)) AS moved"
    " FROM (SELECT name, old AS value, count(*) AS n FROM c GROUP BY 1, 2) o"
    " JOIN (SELECT name, new AS value, count(*) AS n FROM c GROUP BY 1, 2) w USING (name, value)"
    " GROUP BY 1) x USING (name) ORDER BY 1"
)
_EXCHANGED: LiteralString = (
    "SELECT count(*) {changed} AND r.active AND s.data ->> {first} = r.data ->> {other}"
    " AND s.data ->> {other} = r.data ->> {first} AND s.data ->> {first} <> s.data ->> {other}"
)


def of_plan(staging: StagingTable, record_type: RecordType, updated: int) -> list[Moved]:
    """The moves of a plan. updated: how many records it changes."""
    fields = changes.identity(record_type)
    names = [
        name
        for name in (*fields.all_differ, *fields.none_same)
        if record_type.field(name).type in _TEXTS
    ]
    if not names or not LEAST <= updated <= MOST:
        return []
    changed = changes.changed(staging)
    exchanged = list(_exchanged(changed, fields.all_differ))
    pairs = {name for move in exchanged for name in (move.field, move.other)}
    return exchanged + [move for move in _moved(changed, names) if move.field not in pairs]


def _moved(changed: sql.Composed, names: list[str]) -> Iterator[Moved]:
    fields = changes.before_and_after(names)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_STATEMENT).format(changed=changed, fields=fields))
        rows = cursor.fetchall()
    for name, count, before, after, moved in rows:
        if count < LEAST or before < _DIFFERENT:
            continue
        if after == 1 or moved >= count * _SHARE:
            yield Moved(name, count if after == 1 else int(moved), same=after == 1)


def _exchanged(changed: sql.Composed, names: tuple[str, ...]) -> Iterator[Moved]:
    for first, other in combinations(names, 2):
        statement = sql.SQL(_EXCHANGED).format(
            changed=changed, first=sql.Literal(first), other=sql.Literal(other)
        )
        with connection.cursor() as cursor:
            cursor.execute(statement)
            (count,) = cursor.fetchone()
        if count >= LEAST:
            yield Moved(first, int(count), other)
