"""Apply: the plan becomes records, in the one transaction that also finishes the job.

What is replaced goes to the change log first, so that the job can be undone. An unchanged row is
not touched, save that the hash of its file record is renewed where only its spelling differs.
"""

from __future__ import annotations

from typing import LiteralString

from django.db import connection
from psycopg import sql

from imports.load.plan import Absent, Value, choose_join
from imports.load.staging import StagingTable
from imports.load.stored import Target


def apply(
    staging: StagingTable, target: Target, job_id: int, staged: int, absent: Absent | None
) -> None:
    """Write the staged rows. Must run inside the caller's transaction, after its fence.

    absent: which records a mirror removes because its file does not name them; None for other
    files.
    """
    choose_join(staged)
    if absent is not None:
        _match_absent(staging, target, absent)
    _log_replaced(staging, target, job_id)
    _update(staging, job_id)
    _remove(staging, job_id)
    _renew_hashes(staging)
    _insert(staging, target, job_id)


def _match_absent(staging: StagingTable, target: Target, absent: Absent) -> None:
    """Add the records that a mirror's file does not name to the matches: they are removed."""
    query, values = absent.query(staging, target)
    _run(
        staging,
        "INSERT INTO {matches} (line, id, stored_hash, verdict) "
        "SELECT NULL, id, NULL, 'remove' FROM ({absent}) a",
        *values,
        absent=query,
    )


def _log_replaced(staging: StagingTable, target: Target, job_id: int) -> None:
    _run(
        staging,
        "INSERT INTO portal_recordchange (tenant_id, job_id, record_id, data, source_hash, active, "
        "changed_job, changed_at) SELECT r.tenant_id, %s, r.id, r.data, r.source_hash, r.active, "
        "r.changed_job, r.changed_at FROM {matches} m JOIN portal_record r USING (id) "
        "WHERE m.verdict IN ('update', 'remove') AND r.tenant_id = %s",
        job_id,
        target.tenant_id,
    )


def _update(staging: StagingTable, job_id: int) -> None:
    _run(
        staging,
        "UPDATE portal_record r SET data = r.data || s.data, source_hash = s.source_hash, "
        "active = true, changed_job = %s, changed_at = now() "
        "FROM {matches} m JOIN {rows} s USING (line) "
        "WHERE m.verdict = 'update' AND r.id = m.id",
        job_id,
    )


def _remove(staging: StagingTable, job_id: int) -> None:
    _run(
        staging,
        "UPDATE portal_record r SET active = false, source_hash = NULL, changed_job = %s, "
        "changed_at = now() FROM {matches} m WHERE m.verdict = 'remove' AND r.id = m.id",
        job_id,
    )


def _renew_hashes(staging: StagingTable) -> None:
    _run(
        staging,
        "UPDATE portal_record r SET source_hash = s.source_hash "
        "FROM {matches} m JOIN {rows} s USING (line) "
        "WHERE m.verdict = 'same' AND r.id = m.id AND s.operation <> 'add_only' "
        "AND r.source_hash IS DISTINCT FROM s.source_hash",
    )


def _insert(staging: StagingTable, target: Target, job_id: int) -> None:
    _run(
        staging,
        "INSERT INTO portal_record (tenant_id, kind_id, key, data, source_hash, created_job, "
        "changed_job) SELECT %s, %s, s.key, s.data, s.source_hash, %s, %s "
        "FROM {rows} s WHERE NOT EXISTS "
        "(SELECT 1 FROM {matches} m WHERE m.line = s.line)",
        target.tenant_id,
        target.kind_id,
        job_id,
        job_id,
    )


def _run(
    staging: StagingTable, text: LiteralString, *values: Value, **parts: sql.Composable
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(staging.statement(text, **parts), values)
