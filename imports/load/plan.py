"""The plan: what the staged rows will create, update, leave or remove, compared in sets by SQL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from imports.load.staging import StagingTable
from imports.load.stored import KnownRecords, Target
from portal.records.definitions import Operation

Ints = npt.NDArray[np.int64]
Value = str | int

# The verdict on a staged row that was found wrong after it was staged.
WRONG = "wrong"
# Beyond this many staged rows one pass over the store beats an index look-up per row.
_MANY = 100_000
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Absent:
    """How a mirror tells what is to be removed: what its file does not name.

    scope: only records whose value of this field, case ignored, occurs among the file's accepted
    rows; empty for all. A file without that column removes nothing.
    """

    scope: str = ""

    def query(self, staging: StagingTable, target: Target) -> tuple[str, list[Value]]:
        """A SELECT of the absent records' ids, and its values."""
        query = (
            "SELECT r.id FROM portal_record r WHERE r.tenant_id = %s AND r.kind_id = %s "  # noqa: S608
            f"AND r.active AND NOT EXISTS (SELECT 1 FROM {staging.matches} m WHERE m.id = r.id)"
        )
        values: list[Value] = [target.tenant_id, target.kind_id]
        if self.scope:
            query += (
                " AND lower(r.data ->> %s) IN (SELECT lower(s.data ->> %s) "  # noqa: S608
                f"FROM {accepted(staging)})"
            )
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


def accepted(staging: StagingTable) -> str:
    """What stands behind FROM for the staged rows, as s, that nothing was found wrong with."""
    return (
        f"{staging.rows} s LEFT JOIN {staging.matches} a ON a.line = s.line "
        f"AND a.verdict = '{WRONG}' WHERE a.line IS NULL"
    )


def steer(staged: int) -> None:
    """Choose the join for the running transaction: by index for few rows, by hash for many.

    For few the planner would read the whole store instead: it takes each look-up for a disk's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        if staged > _MANY:
            cursor.execute("SET LOCAL enable_nestloop = off")
        else:
            cursor.execute("SET LOCAL random_page_cost = 1.1")


def match(staging: StagingTable, target: Target, staged: int, wrong: Ints) -> None:
    """Write for each staged row that the store has: its record and what is to happen to it.

    wrong: lines of staged rows that are rejected already; they are noted as such. Blank cells that
    keep are absent from the staged document, so `||` leaves the stored value.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        steer(staged)
        cursor.execute(
            f"CREATE UNLOGGED TABLE {staging.matches} WITH (autovacuum_enabled = false) AS "  # noqa: S608
            "SELECT s.line, r.id, r.source_hash AS stored_hash, CASE "
            "  WHEN s.operation = %(remove)s AND r.active THEN 'remove' "
            "  WHEN s.operation IN (%(remove)s, %(update_only)s) AND NOT r.active THEN 'missing' "
            "  WHEN NOT r.active THEN 'update' "
            "  WHEN s.operation = %(add_only)s THEN 'same' "
            "  WHEN (r.data || s.data) = r.data THEN 'same' "
            "  ELSE 'update' END AS verdict "
            f"FROM {staging.rows} s JOIN portal_record r "
            "ON r.tenant_id = %(tenant)s AND r.kind_id = %(kind)s AND r.key = s.key "
            "WHERE s.line <> ALL(%(wrong)s)",
            {
                "tenant": target.tenant_id,
                "kind": target.kind_id,
                "remove": Operation.REMOVE,
                "update_only": Operation.UPDATE_ONLY,
                "add_only": Operation.ADD_ONLY,
                "wrong": wrong.tolist(),
            },
        )
        _note_wrong(cursor, staging, wrong)
        cursor.execute(f"ANALYZE {staging.matches}")


def _note_wrong(cursor: CursorWrapper, staging: StagingTable, wrong: Ints) -> None:
    if wrong.size:
        cursor.execute(
            f"INSERT INTO {staging.matches} (line, verdict) SELECT unnest(%s::bigint[]), '{WRONG}'",
            [wrong.tolist()],
        )


def without_record(staging: StagingTable) -> Ints:
    """Lines that want to remove or change a record that does not exist."""
    return _lines(
        f"SELECT s.line FROM {staging.rows} s LEFT JOIN {staging.matches} m USING (line) "  # noqa: S608
        f"WHERE s.operation IN ('{Operation.REMOVE}', '{Operation.UPDATE_ONLY}') "
        "AND coalesce(m.verdict, 'missing') = 'missing' ORDER BY 1"
    )


def doubled_by_skipped(staging: StagingTable, known: KnownRecords) -> tuple[Ints, Ints]:
    """Staged lines whose record was also met unchanged in this file, and the line of that."""
    if not known.skipped:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT line, stored_hash FROM {staging.matches} "  # noqa: S608
            "WHERE stored_hash IS NOT NULL ORDER BY line"
        )
        found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        while fetched := cursor.fetchmany(_AT_ONCE):  # as objects they take ten times as much
            rows = np.array(fetched, dtype=np.int64)
            seen = known.seen_line(rows[:, 1])
            both = seen > 0
            found.append((rows[both, 0], seen[both]))
    lines, skipped = zip(*found, strict=True)
    return np.concatenate(lines), np.concatenate(skipped)


def count(staging: StagingTable, target: Target, staged: int, absent: Absent | None) -> Counts:
    """Count what the staged and matched rows will do. absent: None where it is no mirror."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT verdict, count(*) FROM {staging.matches} GROUP BY 1")  # noqa: S608
        by_verdict = dict(cursor.fetchall())
        missed = _absent(staging, target, absent) if absent is not None else 0
    return Counts(
        created=staged - sum(by_verdict.values()),
        updated=by_verdict.get("update", 0),
        same=by_verdict.get("same", 0),
        removed=by_verdict.get("remove", 0),
        absent=missed,
    )


def stored(target: Target) -> int:
    """How many active records of the type the tenant has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM portal_record WHERE tenant_id = %s AND kind_id = %s AND active",
            [target.tenant_id, target.kind_id],
        )
        (found,) = cursor.fetchone()
    return int(found)


def held_by_another(staging: StagingTable, target: Target, column: str, value: str) -> bool:
    """Whether an active record that this file does not send has the value in the field."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM portal_record r WHERE tenant_id = %s AND kind_id = %s "  # noqa: S608
            "AND active AND lower(data ->> %s) = lower(%s) "
            f"AND NOT EXISTS (SELECT 1 FROM {accepted(staging)} AND s.key = r.key))",
            [target.tenant_id, target.kind_id, column, value],
        )
        (found,) = cursor.fetchone()
    return bool(found)


def forget(staging: StagingTable, lines: Ints) -> None:
    """Note staged rows as found wrong: they have no record and will do nothing.

    The staged rows stay where they are: to delete a few of a million would read them all.
    """
    if not lines.size:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {staging.matches} WHERE line = ANY(%s)",  # noqa: S608
            [lines.tolist()],
        )
        _note_wrong(cursor, staging, lines)


def _absent(staging: StagingTable, target: Target, absent: Absent) -> int:
    query, values = absent.query(staging, target)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({query}) a", values)  # noqa: S608
        (found,) = cursor.fetchone()
    return int(found)


def _lines(query: str) -> Ints:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)
