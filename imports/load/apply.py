"""Apply: the plan becomes records, in the one transaction that also finishes the job.

What is replaced goes to the change log first, so that the job can be undone. An unchanged row is
not touched, save that the hash of its file record is renewed where only its spelling differs.
"""

from __future__ import annotations

from django.db import connection

from imports.load.plan import Absent, Value, steer
from imports.load.staging import StagingTable
from imports.load.stored import Target


def apply(
    staging: StagingTable, target: Target, job_id: int, staged: int, absent: Absent | None
) -> None:
    """Write the staged rows. Must run inside the caller's transaction, after its fence.

    absent: how a mirror tells what its file does not name; None for other files.
    """
    steer(staged)
    if absent is not None:
        _match_absent(staging, target, absent)
    _log_replaced(staging, target, job_id)
    _update(staging, job_id)
    _remove(staging, job_id)
    _renew_hashes(staging)
    _insert(staging, target, job_id)


def _match_absent(staging: StagingTable, target: Target, absent: Absent) -> None:
    """A mirror removes what the file does not name: add those records to the matches."""
    query, values = absent.query(staging, target)
    _run(
        f"INSERT INTO {staging.matches} (line, id, stored_hash, verdict) "  # noqa: S608
        f"SELECT NULL, id, NULL, 'remove' FROM ({query}) a",
        *values,
    )


def _log_replaced(staging: StagingTable, target: Target, job_id: int) -> None:
    _run(
        "INSERT INTO portal_recordchange (tenant_id, job_id, record_id, data, source_hash, active, "  # noqa: S608
        "changed_job, changed_at) SELECT r.tenant_id, %s, r.id, r.data, r.source_hash, r.active, "
        f"r.changed_job, r.changed_at FROM {staging.matches} m JOIN portal_record r USING (id) "
        "WHERE m.verdict IN ('update', 'remove') AND r.tenant_id = %s",
        job_id,
        target.tenant_id,
    )


def _update(staging: StagingTable, job_id: int) -> None:
    _run(
        "UPDATE portal_record r SET data = r.data || s.data, source_hash = s.source_hash, "  # noqa: S608
        "active = true, changed_job = %s, changed_at = now() "
        f"FROM {staging.matches} m JOIN {staging.rows} s USING (line) "
        "WHERE m.verdict = 'update' AND r.id = m.id",
        job_id,
    )


def _remove(staging: StagingTable, job_id: int) -> None:
    _run(
        "UPDATE portal_record r SET active = false, source_hash = NULL, changed_job = %s, "  # noqa: S608
        f"changed_at = now() FROM {staging.matches} m WHERE m.verdict = 'remove' AND r.id = m.id",
        job_id,
    )


def _renew_hashes(staging: StagingTable) -> None:
    _run(
        "UPDATE portal_record r SET source_hash = s.source_hash "  # noqa: S608
        f"FROM {staging.matches} m JOIN {staging.rows} s USING (line) "
        "WHERE m.verdict = 'same' AND r.id = m.id AND s.operation <> 'add_only' "
        "AND r.source_hash IS DISTINCT FROM s.source_hash"
    )


def _insert(staging: StagingTable, target: Target, job_id: int) -> None:
    _run(
        "INSERT INTO portal_record (tenant_id, kind_id, key, data, source_hash, created_job, "  # noqa: S608
        "changed_job) SELECT %s, %s, s.key, s.data, s.source_hash, %s, %s "
        f"FROM {staging.rows} s WHERE NOT EXISTS "
        f"(SELECT 1 FROM {staging.matches} m WHERE m.line = s.line)",
        target.tenant_id,
        target.kind_id,
        job_id,
        job_id,
    )


def _run(statement: str, *values: Value) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
