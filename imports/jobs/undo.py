"""Undo: a job of its own that puts back what another one changed, field values included.

A record is put back where nothing has touched it since: what the job created is removed, what it
changed or removed gets its old values. What a later job or a person touched is left alone, counted
and listed. A later job that was itself undone does not count: an undo leaves a record as the job
before it did, and the records' change log shows whose state a record is in. An undo writes that log
too and can be undone like any other job.
Source: design.md section 7 (undone, field values included); seeds/003.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, LiteralString

from django.db import connection, transaction
from django.utils import translation
from psycopg import sql

from imports.jobs import outcome
from imports.load import dependents
from imports.load.dependents import Dependents
from imports.load.diff import shown_key
from imports.load.measured import Plan
from imports.load.plan import choose_join
from imports.load.staging import StagingTable
from imports.models import ImportJob
from portal import lifecycle, logs
from portal.lifecycle import Heartbeat
from portal.models import RecordKind
from portal.records.catalog import catalog

log = logs.get(__name__)
State = ImportJob.State
APPLIED = (State.COMPLETE, State.INCOMPLETE)
_UNFINISHED = (State.READY, State.RUNNING, State.ERRORED)
EXAMPLES = 20

# What the job touched. comes: whether the record is active after the undo.
_TOUCHED = sql.SQL("""
  SELECT r.id, false AS created, c.active AS comes, r.changed_job FROM portal_recordchange c
  JOIN portal_record r ON r.id = c.record_id AND r.tenant_id = c.tenant_id
  WHERE c.tenant_id = %(tenant)s AND c.job_id = %(job)s
  UNION ALL
  SELECT r.id, true, false, r.changed_job FROM portal_record r
  WHERE r.tenant_id = %(tenant)s AND r.kind_id = %(kind)s AND r.created_job = %(job)s
""")
# Where no other undo was applied, who last changed a record is its only owner.
_PLAIN = sql.SQL("""
SELECT id, created, comes, changed_job, coalesce(changed_job = %(job)s, false) AS ours
FROM ({touched}) t
""").format(touched=_TOUCHED)
# A record's owners: who last changed it and, as long as that is an undo, whose state that brought
# back. It is put back where the undone job is among them. The recursion goes back in time and ends.
_BROUGHT_BACK = sql.SQL("""
WITH RECURSIVE touched AS MATERIALIZED ({touched}), undos AS MATERIALIZED (
  SELECT id, undoes_id FROM imports_importjob
  WHERE tenant_id = %(tenant)s AND undoes_id IS NOT NULL AND id <> %(job)s
  AND state IN ('complete', 'incomplete')
), owners AS (
  SELECT t.id, c.changed_job AS owner FROM touched t JOIN undos u ON u.id = t.changed_job
  JOIN portal_recordchange c ON c.job_id = u.undoes_id AND c.record_id = t.id
  UNION ALL
  SELECT o.id, c.changed_job FROM owners o JOIN undos u ON u.id = o.owner
  JOIN portal_recordchange c ON c.job_id = u.undoes_id AND c.record_id = o.id
)
SELECT id, created, comes, changed_job,
  coalesce(changed_job = %(job)s, false) OR back.id IS NOT NULL AS ours
FROM touched LEFT JOIN (SELECT DISTINCT o.id FROM owners o WHERE o.owner = %(job)s) back USING (id)
""").format(touched=_TOUCHED)
_COUNT = sql.SQL(
    "SELECT count(*) FILTER (WHERE ours AND comes), count(*) FILTER (WHERE ours AND NOT comes), "
    "count(*) FILTER (WHERE NOT ours) FROM {touched} touched"
)
_EXAMPLES = sql.SQL(
    "SELECT r.key, r.data, j.uid::text, coalesce(j.file_name, '') FROM {touched} touched "
    "JOIN portal_record r ON r.id = touched.id LEFT JOIN imports_importjob j "
    "ON j.id = touched.changed_job WHERE NOT ours "
    "ORDER BY touched.id LIMIT {limit}"
)


@dataclass(frozen=True, slots=True)
class Left:
    """A record that is left alone. job: the one that last changed it; None for a person."""

    key: str
    job: str | None
    file_name: str


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """What an undo will do, in records. restored: get old values back, or come back themselves.

    removed: were created or brought back by the job. examples: the first of those that are left.
    dependents: records that refer to those which are removed.
    """

    restored: int
    removed: int
    left: int
    examples: tuple[Left, ...] = ()
    dependents: tuple[Dependents, ...] = ()

    @property
    def total(self) -> int:
        return self.restored + self.removed + self.left


def refusal(job: ImportJob, *, waiting: bool = True) -> str:
    """Why the job cannot be undone, as a sentence; empty where it can.

    waiting: whether an undo that has not run yet counts; not for one that runs itself.
    """
    if job.state not in APPLIED or job.dry_run:
        with translation.override(None):  # a sentence in English, whatever the page's language
            state = job.get_state_display().lower()
        return (
            f"Only an import that was applied can be undone; this one is "
            f'"{state}" and changed nothing.'
        )
    if any(in_force(earlier) for earlier in job.undos.filter(state__in=APPLIED)):
        return "It has already been undone. To reverse that, undo the undo."
    if waiting and job.undos.filter(state__in=_UNFINISHED).exists():
        return "An undo of it is already in progress."
    return ""


def in_force(undo: ImportJob) -> bool:
    """Whether an undo holds: it was not itself undone."""
    return not undo.is_undone


def preview(job: ImportJob) -> UndoPreview:
    """What an undo of the job would do now. Reads only; a million records take some seconds."""
    with transaction.atomic():
        choose_join(_size(job))
        touched, values = sql.SQL("({})").format(_touched(job)), _values(job)
        return _with_dependents(job, _count(touched, values, _key(job)), touched, values)


def _touched(job: ImportJob) -> sql.Composed:
    """The query of what the job touched, with whether it is `ours` to put back."""
    undos = ImportJob.objects.filter(tenant_id=job.tenant_id, undoes__isnull=False)
    applied = undos.filter(record_type=job.record_type, state__in=APPLIED).exclude(pk=job.pk)
    return _BROUGHT_BACK if applied.exists() else _PLAIN


def _count(touched: sql.Composable, values: dict[str, Any], key: Sequence[str]) -> UndoPreview:
    """The counts and the first records that are left.

    touched: a table as _BROUGHT_BACK has it. key: the names of the type's key fields.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(touched=touched), values)
        restored, removed, left = cursor.fetchone()
        if not left:
            return UndoPreview(restored, removed, left)
        limit = sql.Literal(EXAMPLES)
        cursor.execute(_EXAMPLES.format(touched=touched, limit=limit), values)
        examples = tuple(
            Left(shown_key(key, stored, json.loads(data)), *origin)
            for stored, data, *origin in cursor.fetchall()
        )
    return UndoPreview(restored, removed, left, examples)


def _with_dependents(
    job: ImportJob, preview: UndoPreview, touched: sql.Composable, values: dict[str, Any]
) -> UndoPreview:
    if not preview.removed:
        return preview
    try:
        record_type = catalog().record_type(job.record_type)
    except KeyError:  # the catalog has lost it since; nothing refers to it then
        return preview
    removing = sql.SQL("SELECT t.id FROM {} t WHERE t.ours AND NOT t.comes").format(touched)
    depending = dependents.of_removed(job.tenant_id, record_type, removing, values)
    return replace(preview, dependents=tuple(depending))


def carry_out(undo: ImportJob, beat: Heartbeat) -> None:
    """Run a claimed undo in one transaction. Raises LeaseLost."""
    undone = undo.undoes
    if undone is None:
        raise AssertionError(f"Job {undo.pk} undoes nothing.")
    beat.check()
    with transaction.atomic():
        lifecycle.fence(undo)
        ImportJob.objects.select_for_update(no_key=True).get(pk=undone.pk)
        undone.refresh_from_db()
        if why := refusal(undone, waiting=False):
            outcome.refuse_undo(undo, why)
            return
        done = _put_back(undo, undone)
        plan = Plan(done.total, 0, done.restored, done.left, done.removed, 0)
        detail = {
            "left": [asdict(example) for example in done.examples],
            "dependents": dependents.as_json(done.dependents),
        }
        outcome.finish_undo(undo, undone, plan, _sentence(done), detail)
    log.info("undone", job_id=undo.pk, undoes=undone.pk, records=done.total, left=done.left)


def _put_back(undo: ImportJob, undone: ImportJob) -> UndoPreview:
    """Write the records back. Raises AssertionError where not all were written that should be."""
    table = StagingTable(undo)
    values = {**_values(undone), "undo": undo.pk}
    choose_join(_size(undone))
    create = table.statement("CREATE UNLOGGED TABLE {undo} AS {touched}", touched=_touched(undone))
    _run(create, values)
    _run(table.statement("ANALYZE {undo}"), values)
    counts = _count(table.undo, values, _key(undone))
    done = _with_dependents(undone, counts, table.undo, values)
    logged = _run(table.statement(_LOG), values)
    written = _run(table.statement(_RESTORE), values) + _run(table.statement(_REMOVE), values)
    if not logged == written == done.restored + done.removed:
        raise AssertionError(f"{done} was the plan; {logged} were logged, {written} written.")
    _run(table.statement("DROP TABLE {undo}"), values)
    return done


_LOG: LiteralString = (
    "INSERT INTO portal_recordchange (tenant_id, job_id, record_id, data, source_hash, active, "
    "changed_job, changed_at) SELECT r.tenant_id, %(undo)s, r.id, r.data, r.source_hash, r.active, "
    "r.changed_job, r.changed_at FROM {undo} u JOIN portal_record r USING (id) "
    "WHERE u.ours AND r.tenant_id = %(tenant)s"
)
_RESTORE: LiteralString = (
    "UPDATE portal_record r SET data = c.data, source_hash = c.source_hash, active = c.active, "
    "changed_job = %(undo)s, changed_at = now() FROM {undo} u "
    "JOIN portal_recordchange c ON c.record_id = u.id AND c.job_id = %(job)s "
    "WHERE u.ours AND NOT u.created AND r.id = u.id AND r.tenant_id = %(tenant)s"
)
_REMOVE: LiteralString = (
    "UPDATE portal_record r SET active = false, source_hash = NULL, changed_job = %(undo)s, "
    "changed_at = now() FROM {undo} u "
    "WHERE u.ours AND u.created AND r.id = u.id AND r.tenant_id = %(tenant)s"
)


def _sentence(done: UndoPreview) -> str:
    text = f"Records restored: {done.restored:,}; removed: {done.removed:,}."
    if done.left:
        text += f" Left unchanged because they were changed later: {done.left:,}."
    if done.dependents:
        each = ", ".join(f"{of.label} {of.count:,} ({of.field})" for of in done.dependents)
        text += f" Others that refer to removed ones stay: {each}."
    return text


def _values(job: ImportJob) -> dict[str, Any]:
    kind = RecordKind.objects.get(name=job.record_type)
    return {"tenant": job.tenant_id, "kind": kind.pk, "job": job.pk}


def _key(job: ImportJob) -> Sequence[str]:
    """The names of the type's key fields; none where the catalog has lost the type since."""
    try:
        return catalog().record_type(job.record_type).key
    except KeyError:
        return ()


def _size(job: ImportJob) -> int:
    return job.rows_created + job.rows_updated + job.rows_removed


def _run(statement: sql.Composable, values: dict[str, Any]) -> int:
    """Run the statement. Returns how many rows were written."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
