"""The plan: what the staged rows will create, update, leave or remove, compared in sets by SQL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from imports.load.staging import StagingTable
from imports.load.stored import StoredRecords, Target
from portal.records.definitions import Operation

Ints = npt.NDArray[np.int64]
Value = str | int

# The verdict on a staged row that was found wrong after it was staged.
WRONG = "wrong"
# Beyond this many staged rows one pass over the store beats an index look-up per row.
_MANY = 100_000
_FETCHED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Absent:
    """The records that a mirror removes: those that its file does not name.

    scope: only records whose value of this field, case ignored, occurs among the file's accepted
    rows; empty for all. A file without that column removes nothing.
    """

    scope: str = ""

    def query(self, staging: StagingTable, target: Target) -> tuple[sql.Composed, list[Value]]:
        """A SELECT of the absent records' ids, and its values."""
        query = staging.statement(
            "SELECT r.id FROM portal_record r WHERE r.tenant_id = %s AND r.kind_id = %s "
            "AND r.active AND NOT EXISTS (SELECT 1 FROM {matches} m WHERE m.id = r.id)"
        )
        values: list[Value] = [target.tenant_id, target.kind_id]
        if self.scope:
            query += sql.SQL(
                " AND lower(r.data ->> %s) IN (SELECT lower(s.data ->> %s) FROM {})"
            ).format(accepted(staging))
            values += [self.scope, self.scope]
        return query, values


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
            "SELECT s.line, r.id, r.source_hash AS stored_hash, CASE "
            "  WHEN s.operation = %(remove)s AND r.active THEN 'remove' "
            "  WHEN s.operation IN (%(remove)s, %(update_only)s) AND NOT r.active THEN 'missing' "
            "  WHEN NOT r.active THEN 'update' "
            "  WHEN s.operation = %(add_only)s THEN 'same' "
            "  WHEN (r.data || s.data) = r.data THEN 'same' "
            "  ELSE 'update' END AS verdict "
            "FROM {rows} s JOIN portal_record r "
            "ON r.tenant_id = %(tenant)s AND r.kind_id = %(kind)s AND r.key = s.key "
            "WHERE s.line <> ALL(%(wrong)s)"
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


def _insert_wrong(cursor: CursorWrapper, staging: StagingTable, wrong: Ints) -> None:
    if wrong.size:
        cursor.execute(
            staging.statement(
                "INSERT INTO {matches} (line, verdict) SELECT unnest(%s::bigint[]), {wrong}",
                wrong=sql.Literal(WRONG),
            ),
            [wrong.tolist()],
        )


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
        same=by_verdict.get("same", 0),
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
