"""The plan: what the staged rows will create, update, leave or remove, compared in sets by SQL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from imports.load import owners
from imports.load.staging import StagingTable
from imports.load.stored import StoredRecords, Target
from portal.records.definitions import Operation

Ints = npt.NDArray[np.int64]
Value = str | int

# The verdict on a staged row that was found wrong after it was staged.
WRONG = "wrong"
# The verdict on a row whose record was written by a later file of the feed already.
NEWER = "newer"
# Beyond this many staged rows one pass over the store beats an index look-up per row.
_MANY = 100_000
_FETCHED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Absent:
    """The records that a mirror removes: those that its file does not name.

    source: the job's; without a scope only what this source owns is removed. scope: instead, the
    records of every source whose value of this field, case ignored, occurs among the file's
    accepted rows; those of other sources hold the plan. A file without that column removes nothing.
    """

    source: str
    scope: str = ""

    def query(self, staging: StagingTable, target: Target) -> tuple[sql.Composed, list[Value]]:
        """A SELECT of the absent records' ids, and its values."""
        if self.scope:
            query, values = self._unnamed(staging, target)
            return sql.SQL("SELECT a.id FROM ({}) a").format(query), values
        query, values = self._unnamed(staging, target)
        own = owners.jobs_of(target, self.source)
        return sql.SQL("SELECT a.id FROM ({}) a WHERE a.owner IN ({})").format(query, own), values

    def by_other_sources(self, staging: StagingTable, target: Target) -> dict[str, int]:
        """How many unnamed records other sources own, by source; "" where it is not known.

        With a scope they are removed with the others, without one they stay.
        """
        query, values = self._unnamed(staging, target)
        statement = sql.SQL(
            "SELECT coalesce(j.source, ''), count(*) FROM ({}) a "
            "LEFT JOIN imports_importjob j ON j.id = a.owner AND j.tenant_id = {} "
            "WHERE coalesce(j.source, '') <> {} GROUP BY 1 ORDER BY 2 DESC, 1"
        ).format(query, sql.Literal(target.tenant_id), sql.Literal(self.source))
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return dict(cursor.fetchall())

    def _unnamed(self, staging: StagingTable, target: Target) -> tuple[sql.Composed, list[Value]]:
        """A SELECT of the records within the scope that the file does not name, with the owners."""
        query = staging.statement(
            "SELECT r.id, r.owner FROM ({owned}) r "
            "WHERE NOT EXISTS (SELECT 1 FROM {matches} m WHERE m.id = r.id)",
            owned=owners.owned(target),
        )
        if target.overtaken is not None:
            newer = owners.newer_jobs(target)
            query += sql.SQL(" AND coalesce(r.owner NOT IN ({}), true)").format(newer)
        if not self.scope:
            return query, []
        query += sql.SQL(
            " AND lower(r.data ->> %s) IN (SELECT lower(s.data ->> %s) FROM {})"
        ).format(accepted(staging))
        return query, [self.scope, self.scope]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what happens to them. absent: records that a mirror's file does not name."""

    created: int
    updated: int
    same: int
    removed: int
    absent: int


def accepted(staging: StagingTable) -> sql.Composed:
    """The FROM and WHERE of the staged rows, as s, that were not found wrong."""
    return staging.statement(
        "{rows} s LEFT JOIN {matches} a ON a.line = s.line "
        "AND a.verdict = {wrong} WHERE a.line IS NULL",
        wrong=sql.Literal(WRONG),
    )


def choose_join(staged: int) -> None:
    """Choose the join for the running transaction: by index for few rows, by hash for many.

    For few the planner would read the whole store instead: it counts each look-up as a disk access.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        if staged > _MANY:
            cursor.execute("SET LOCAL enable_nestloop = off")
        else:
            cursor.execute("SET LOCAL random_page_cost = 1.1")


def match(staging: StagingTable, target: Target, staged: int, wrong: Ints) -> None:
    """Write the record of each staged row that has one, and what is to happen to it.

    wrong: lines of staged rows that are rejected already; they are marked. Blank cells that keep
    the stored value are absent from the staged document, so `||` leaves that value.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(staged)
        statement = staging.statement(
            "CREATE UNLOGGED TABLE {matches} WITH (autovacuum_enabled = false) AS "
            "SELECT s.line, r.id, r.source_hash AS stored_hash, CASE {newer}"
            "  WHEN s.operation = %(remove)s AND r.active THEN 'remove' "
            "  WHEN s.operation IN (%(remove)s, %(update_only)s) AND NOT r.active THEN 'missing' "
            "  WHEN NOT r.active THEN 'update' "
            "  WHEN s.operation = %(add_only)s THEN 'same' "
            "  WHEN (r.data || s.data) = r.data THEN 'same' "
            "  ELSE 'update' END AS verdict "
            "FROM {rows} s JOIN portal_record r "
            "ON r.tenant_id = %(tenant)s AND r.kind_id = %(kind)s AND r.key = s.key "
            "WHERE s.line <> ALL(%(wrong)s)",
            newer=_newer(target),
        )
        cursor.execute(
            statement,
            {
                "tenant": target.tenant_id,
                "kind": target.kind_id,
                "remove": Operation.REMOVE,
                "update_only": Operation.UPDATE_ONLY,
                "add_only": Operation.ADD_ONLY,
                "wrong": wrong.tolist(),
            },
        )
        _insert_wrong(cursor, staging, wrong)
        cursor.execute(staging.statement("ANALYZE {matches}"))


def _newer(target: Target) -> sql.Composable:
    """The first case of a job that others have overtaken: what they wrote stays as it is."""
    if target.overtaken is None:
        return sql.SQL("")
    return sql.SQL(" WHEN r.changed_job IN ({}) THEN {} ").format(
        owners.newer_jobs(target), sql.Literal(NEWER)
    )


def _insert_wrong(cursor: CursorWrapper, staging: StagingTable, wrong: Ints) -> None:
    if wrong.size:
        cursor.execute(
            staging.statement(
                "INSERT INTO {matches} (line, verdict) SELECT unnest(%s::bigint[]), {wrong}",
                wrong=sql.Literal(WRONG),
            ),
            [wrong.tolist()],
        )


def instructions(staging: StagingTable, target: Target, lines: Ints) -> tuple[Ints, Ints, Ints]:
    """Staged lines with whether each removes (1 or 0), and its record's hash (0 where none is)."""
    with connection.cursor() as cursor:
        cursor.execute(
            staging.statement(
                "SELECT s.line, (s.operation = {remove})::int, coalesce(r.source_hash, 0) "
                "FROM {rows} s LEFT JOIN portal_record r ON r.tenant_id = %s AND r.kind_id = %s "
                "AND r.key = s.key AND r.active WHERE s.line = ANY(%s) ORDER BY 1",
                remove=sql.Literal(str(Operation.REMOVE)),
            ),
            [target.tenant_id, target.kind_id, lines.tolist()],
        )
        fetched = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 3)
    return fetched[:, 0], fetched[:, 1], fetched[:, 2]


def without_record(staging: StagingTable) -> Ints:
    """Lines of rows that change or remove a record which does not exist."""
    statement = staging.statement(
        "SELECT s.line FROM {rows} s LEFT JOIN {matches} m USING (line) "
        "WHERE s.operation IN ({remove}, {update_only}) "
        "AND coalesce(m.verdict, 'missing') = 'missing' ORDER BY 1",
        remove=sql.Literal(str(Operation.REMOVE)),
        update_only=sql.Literal(str(Operation.UPDATE_ONLY)),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)


def duplicates_of_skipped(staging: StagingTable, stored: StoredRecords) -> tuple[Ints, Ints]:
    """Staged lines whose record also occurred unchanged in this file, and the line of that."""
    if not stored.skipped:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    with connection.cursor() as cursor:
        cursor.execute(
            staging.statement(
                "SELECT line, stored_hash FROM {matches} "
                "WHERE stored_hash IS NOT NULL ORDER BY line"
            )
        )
        pairs = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        while fetched := cursor.fetchmany(
            _FETCHED_AT_ONCE
        ):  # as objects they take ten times as much
            rows = np.array(fetched, dtype=np.int64)
            seen = stored.seen_line(rows[:, 1])
            both = seen > 0
            pairs.append((rows[both, 0], seen[both]))
    lines, skipped = zip(*pairs, strict=True)
    return np.concatenate(lines), np.concatenate(skipped)


def count(staging: StagingTable, target: Target, staged: int, absent: Absent | None) -> Counts:
    """Count what the staged and matched rows will do. absent: None for other files than mirrors."""
    with connection.cursor() as cursor:
        cursor.execute(staging.statement("SELECT verdict, count(*) FROM {matches} GROUP BY 1"))
        by_verdict = dict(cursor.fetchall())
        absent_count = _count_absent(staging, target, absent) if absent is not None else 0
    return Counts(
        created=staged - sum(by_verdict.values()),
        updated=by_verdict.get("update", 0),
        same=by_verdict.get("same", 0) + by_verdict.get(NEWER, 0),
        removed=by_verdict.get("remove", 0),
        absent=absent_count,
    )


def count_stored(target: Target) -> int:
    """How many active records of the type the tenant has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM portal_record WHERE tenant_id = %s AND kind_id = %s AND active",
            [target.tenant_id, target.kind_id],
        )
        (count,) = cursor.fetchone()
    return int(count)


def held_by_another(staging: StagingTable, target: Target, column: str, value: str) -> bool:
    """Whether an active record that this file does not send has the value in the field."""
    statement = sql.SQL(
        "SELECT EXISTS (SELECT 1 FROM portal_record r WHERE tenant_id = %s AND kind_id = %s "
        "AND active AND lower(data ->> %s) = lower(%s) "
        "AND NOT EXISTS (SELECT 1 FROM {accepted} AND s.key = r.key))"
    ).format(accepted=accepted(staging))
    with connection.cursor() as cursor:
        cursor.execute(statement, [target.tenant_id, target.kind_id, column, value])
        (exists,) = cursor.fetchone()
    return bool(exists)


def removed(
    staging: StagingTable, target: Target, absent: Absent | None
) -> tuple[sql.Composed, list[Value]]:
    """A SELECT of the ids of the records that the plan removes, and its values."""
    query = staging.statement("SELECT id FROM {matches} WHERE verdict = 'remove'")
    if absent is None:
        return query, []
    unnamed, values = absent.query(staging, target)
    return query + sql.SQL(" UNION ALL ") + unnamed, values


def mark_wrong(staging: StagingTable, lines: Ints) -> None:
    """Mark staged rows as wrong: they have no record and will do nothing.

    The staged rows stay where they are: to delete a few of a million would read them all.
    """
    if not lines.size:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            staging.statement("DELETE FROM {matches} WHERE line = ANY(%s)"),
            [lines.tolist()],
        )
        _insert_wrong(cursor, staging, lines)


def _count_absent(staging: StagingTable, target: Target, absent: Absent) -> int:
    query, values = absent.query(staging, target)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM ({}) a").format(query), values)
        (count,) = cursor.fetchone()
    return int(count)
