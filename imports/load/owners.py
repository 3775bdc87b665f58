"""Whose a stored record is: of the job that last made or touched it, and of that job's source.

A record that an undo restored is of the job whose state the undo brought back. A record that a
person changed is nobody's, and so is one whose job is gone: no mirror removes it unasked.
"""

from __future__ import annotations

from typing import LiteralString

from django.db import connection
from psycopg import sql

from imports.load.stored import Target

Value = str | int

_UNDOS: LiteralString = """
SELECT j.id, j.undoes_id FROM imports_importjob j JOIN portal_recordkind k ON k.name = j.record_type
WHERE j.tenant_id = {tenant} AND k.id = {kind} AND j.undoes_id IS NOT NULL
AND j.state IN ('complete', 'incomplete')
"""
_OF_KIND: LiteralString = "r.tenant_id = {tenant} AND r.kind_id = {kind} AND r.active"
_PLAIN: LiteralString = (
    "SELECT r.id, r.data, r.changed_job AS owner FROM portal_record r WHERE {of_kind}"
)
# From each undo back to whose state it restored; the recursion goes back in time and ends.
_THROUGH_UNDOS: LiteralString = """
WITH RECURSIVE undos AS MATERIALIZED ({undos}), back AS (
  SELECT r.id, r.changed_job AS owner FROM portal_record r
  WHERE {of_kind} AND r.changed_job IN (SELECT id FROM undos)
  UNION ALL
  SELECT b.id, c.changed_job FROM back b JOIN undos u ON u.id = b.owner
  JOIN portal_recordchange c ON c.job_id = u.undoes_id AND c.record_id = b.id
)
SELECT r.id, r.data, CASE WHEN u.id IS NULL THEN r.changed_job ELSE b.owner END AS owner
FROM portal_record r LEFT JOIN undos u ON u.id = r.changed_job
LEFT JOIN back b ON u.id IS NOT NULL AND b.id = r.id
AND NOT EXISTS (SELECT 1 FROM undos n WHERE n.id = b.owner)
WHERE {of_kind}
"""


def owned(target: Target) -> sql.Composed:
    """A SELECT of all active records of the target: id, data, and the job that owns each."""
    parts = _parts(target)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT EXISTS ({})").format(sql.SQL(_UNDOS).format(**parts)))
        (any_undo,) = cursor.fetchone()
    of_kind = sql.SQL(_OF_KIND).format(**parts)
    if not any_undo:
        return sql.SQL(_PLAIN).format(of_kind=of_kind)
    undos = sql.SQL(_UNDOS).format(**parts)
    return sql.SQL(_THROUGH_UNDOS).format(undos=undos, of_kind=of_kind)


def jobs_of(target: Target, source: str) -> sql.Composed:
    """A SELECT of the ids of the jobs of a source that write to the target."""
    return sql.SQL(
        "SELECT j.id FROM imports_importjob j JOIN portal_recordkind k ON k.name = j.record_type "
        "WHERE j.tenant_id = {tenant} AND k.id = {kind} AND j.undoes_id IS NULL "
        "AND j.source = {source}"
    ).format(**_parts(target), source=sql.Literal(source))


def newer_jobs(target: Target) -> sql.Composable:
    """A SELECT of the ids of the jobs that have overtaken the one which writes to the target."""
    if target.overtaken is None:
        return sql.SQL("SELECT NULL::bigint WHERE false")
    return sql.SQL(
        "SELECT j.id FROM imports_importjob j WHERE j.tenant_id = {tenant} AND j.feed = {feed} "
        "AND j.id > {job}"
    ).format(
        tenant=sql.Literal(target.tenant_id),
        feed=sql.Literal(target.overtaken.feed),
        job=sql.Literal(target.overtaken.job_id),
    )


def count_owned(target: Target, source: str) -> int:
    """How many active records of the target the source owns."""
    query = sql.SQL("SELECT count(*) FROM ({}) r WHERE r.owner IN ({})")
    with connection.cursor() as cursor:
        cursor.execute(query.format(owned(target), jobs_of(target, source)))
        (count,) = cursor.fetchone()
    return int(count)


def _parts(target: Target) -> dict[str, sql.Literal]:
    return {"tenant": sql.Literal(target.tenant_id), "kind": sql.Literal(target.kind_id)}
