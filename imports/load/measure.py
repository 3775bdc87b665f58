"""What the limits need to know of a plan beyond its counts, measured in sets by SQL.

Only what a limit needs is measured. People are looked up by name and e-mail only where so many
identifiers came and went that it is worth a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from psycopg import sql

from imports.issues import counted
from imports.load import changes, doubts, limits, moved
from imports.load.ceilings import DEFAULTS, LimitValues, ceiling
from imports.load.measured import Hold, Measured, Plan, ValueCounts
from imports.load.plan import Absent, choose_join, removed
from imports.load.staging import StagingTable
from imports.load.stored import StoredRecords, Target
from imports.models import ImportJob, sources
from portal.records.definitions import FieldType, RecordType

# How many of the new rows are looked up: enough to distinguish half of them from none.
_SAMPLE = 10_000
_IDENTIFY_NOBODY = (FieldType.ENUM, FieldType.BOOLEAN)
_MOST_CHANGERS = 3


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file's plan with the tables that it was counted in. absent: see `Absent`; staged: rows."""

    record_type: RecordType
    target: Target
    staging: StagingTable
    staged: int
    plan: Plan
    stored: StoredRecords
    absent: Absent | None


def holds(
    job: ImportJob, file: PlannedFile, limit_values: LimitValues, per: Mapping[str, Any] | None
) -> list[Hold]:
    """Why the plan must wait for a person, by the job's limits. Raises BadLimit.

    per: {"field": name, "limits": {…}}, or None.
    """
    plan, staging = file.plan, file.staging
    missing, looked_up, recognised = 0, 0, 0
    if "key_churn" in limit_values or doubts.identifiers_suspect(plan, plan.stored):
        missing = plan.stored - matched(staging) - file.stored.skipped
    if doubts.identifiers_suspect(plan, missing):
        names = identifying_fields(file.record_type)
        looked_up, recognised = recognise(staging, file.target, names)
    with transaction.atomic():
        choose_join(file.staged)
        allowed = {name: ceiling(limit, plan.stored) for name, limit in DEFAULTS.items()} | {
            name: ceiling(limit, plan.stored)
            for name, limit in limit_values.items()
            if name in DEFAULTS
        }
        measured = Measured(
            plan=plan,
            size=job.file_size,
            last_size=last_size(job) if "size_change" in limit_values else None,
            missing=missing,
            looked_up=looked_up,
            recognised=recognised,
            others=_others(file) if file.absent and file.absent.scope else {},
            per_value=per_value(staging, file.target, str(per["field"]), file.absent)
            if per
            else {},
            **_of_records(file, allowed),
        )
    return limits.holds(measured, limit_values, per, job.released_plan)


def _of_records(file: PlannedFile, allowed: Mapping[str, int]) -> dict[str, Any]:
    """What happens to single records, counted only where it could be more than is allowed."""
    plan, counts = file.plan, dict[str, Any]()
    if plan.updated > allowed["reused_keys"]:
        counts["reused"] = changes.count_reused(file.staging, file.record_type)
    if plan.updated > allowed["same_field"]:
        key = file.record_type.key
        names = [field.name for field in file.record_type.fields if field.name not in key]
        counts["fields"] = changes.count_fields(file.staging, names)
    counts["moved"] = moved.of_plan(file.staging, file.record_type, plan.updated)
    if plan.stored and plan.created > allowed["lost_zeros"]:
        counts["zeros"] = changes.count_zeros(
            file.staging, file.target, file.record_type, plan.created
        )
    return counts


def changers(file: PlannedFile, since: datetime) -> list[tuple[str, int]]:
    """The files whose import has changed records of the plan since then, and how many."""
    removing, values = removed(file.staging, file.target, file.absent)
    statement = file.staging.statement(
        "SELECT coalesce(j.file_name, '?'), count(*) FROM portal_record r "
        "LEFT JOIN imports_importjob j ON j.id = r.changed_job "
        "WHERE r.tenant_id = %s AND r.changed_at > %s "
        "AND r.id IN (SELECT id FROM {matches} WHERE id IS NOT NULL UNION ALL {removed}) "
        "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}",
        removed=removing,
        most=sql.Literal(_MOST_CHANGERS),
    )
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(file.staged)
        cursor.execute(statement, [file.target.tenant_id, since, *values])
        return [(str(name), int(count)) for name, count in cursor.fetchall()]


def _others(file: PlannedFile) -> dict[str, int]:
    if file.absent is None:
        return {}
    counts = file.absent.by_other_sources(file.staging, file.target)
    named = sources.names(counts)
    return {named[source]: count for source, count in counts.items()}


def others_left(file: PlannedFile) -> str:
    """What a mirror leaves because other sources brought it, as a sentence; empty for nothing."""
    if file.absent is None or file.absent.scope:
        return ""
    counts = _others(file)
    if not counts:
        return ""
    each = "; ".join(f"{name}: {count:,}" for name, count in counts.items())
    records = counted(sum(counts.values()), "record")
    return f"Left as they are, because other sources brought them: {records} ({each})."


def matched(staging: StagingTable) -> int:
    """How many active records the staged rows name."""
    with connection.cursor() as cursor:
        cursor.execute(
            staging.statement(
                "SELECT count(*) FROM {matches} m JOIN portal_record r USING (id) WHERE r.active"
            )
        )
        (count,) = cursor.fetchone()
    return int(count)


def last_size(job: ImportJob) -> int | None:
    """The size of the last file of this feed and template that was applied, in bytes.

    An undo has no file, and a file whose import was undone says nothing about the next one.
    """
    applied = (ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE)
    undos = ImportJob.objects.filter(state__in=applied)
    undone_again = Exists(undos.filter(undoes=OuterRef("pk")))
    earlier = ImportJob.objects.filter(
        ~Exists(undos.filter(~undone_again, undoes=OuterRef("pk"))),
        tenant_id=job.tenant_id, feed=job.feed, state__in=applied, undoes=None,
    )  # fmt: skip
    version = job.template_version
    earlier = earlier.filter(template_version__template=version.template_id if version else None)
    newest_first = earlier.order_by("-finished_at")
    return newest_first.values_list("file_size", flat=True).first()


def identifying_fields(record_type: RecordType) -> tuple[str, ...]:
    """The fields that identify a record without its key; empty where no field does.

    The e-mail address where the type has one, else what lists show beside the key. Types that are
    identified by several fields are left out: a new date for a stored person is no new person.
    """
    if len(record_type.key) > 1 or record_type.field(record_type.key[0]).references:
        return ()
    others = [f for f in record_type.fields if f.name not in record_type.key and not f.many]
    emails = [f.name for f in others if f.type == FieldType.EMAIL]
    if emails:
        return (emails[0],)
    titles = [
        f.name
        for f in others
        if f.name in record_type.title
        and f.type not in _IDENTIFY_NOBODY
        and f.references != record_type.name
    ]
    return tuple(titles)


def recognise(staging: StagingTable, target: Target, names: Sequence[str]) -> tuple[int, int]:
    """Look a sample of the new rows up by these fields: how many rows, and how many are recognised.

    A row is recognised where an active record that the staged rows do not name has the same values
    in these fields, case ignored. A row with a blank in one of them is not.
    """
    if not names:
        return 0, 0
    # Joined by ||, so that a blank in one of the fields makes the whole null, which equals nothing.
    separator = sql.SQL(" || chr(31) || ")
    fresh = separator.join([sql.SQL("lower(s.data ->> %s)")] * len(names))
    stored = separator.join([sql.SQL("lower(r.data ->> %s)")] * len(names))
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(_SAMPLE * 100)
        # One pass over the store, looking each record up in the sample: the planner would sort
        # millions of records for it, or compare each of the sample with each of them.
        cursor.execute("SET LOCAL enable_mergejoin = off")
        cursor.execute(
            staging.statement(
                "WITH fresh AS MATERIALIZED (SELECT {fresh} AS who FROM {rows} s "
                "WHERE NOT EXISTS (SELECT FROM {matches} m WHERE m.line = s.line) "
                "LIMIT {sample}), met AS MATERIALIZED (SELECT {stored} AS who FROM portal_record r "
                "WHERE r.tenant_id = %s AND r.kind_id = %s AND r.active "
                "AND {stored} IN (SELECT who FROM fresh) "
                "AND NOT EXISTS (SELECT FROM {matches} m WHERE m.id = r.id) GROUP BY 1) "
                "SELECT count(*), count(met.who) FROM fresh LEFT JOIN met USING (who)",
                fresh=fresh,
                stored=stored,
                sample=sql.Literal(_SAMPLE),
            ),
            [*names, *names, target.tenant_id, target.kind_id, *names],
        )
        looked_up, recognised = cursor.fetchone()
    return int(looked_up), int(recognised)


def per_value(
    staging: StagingTable, target: Target, name: str, absent: Absent | None
) -> dict[str, ValueCounts]:
    """What the plan does to the records with each value of a field, case ignored.

    A changed record counts under the value it will have, a removed one under the one it has.
    absent: which records a mirror removes because its file does not name them; None for other
    files.
    """
    removing, values = removed(staging, target, absent)
    with transaction.atomic(), connection.cursor() as cursor:
        choose_join(_SAMPLE * 100)
        statement = staging.statement(
            "WITH touched AS ("
            "SELECT CASE WHEN m.verdict IS NULL THEN 'create' ELSE 'update' END AS what, "
            "CASE WHEN s.data ? %s THEN s.data ->> %s ELSE r.data ->> %s END AS value "
            "FROM {rows} s LEFT JOIN {matches} m USING (line) "
            "LEFT JOIN portal_record r ON r.id = m.id "
            "WHERE m.verdict IS NULL OR m.verdict = 'update' "
            "UNION ALL SELECT 'remove', data ->> %s FROM portal_record "
            "WHERE tenant_id = %s AND id IN ({removed}) "
            "UNION ALL SELECT 'stored', data ->> %s FROM portal_record "
            "WHERE tenant_id = %s AND kind_id = %s AND active) "
            "SELECT coalesce(min(value), ''), count(*) FILTER (WHERE what = 'create'), "
            "count(*) FILTER (WHERE what = 'update'), count(*) FILTER (WHERE what = 'remove'), "
            "count(*) FILTER (WHERE what = 'stored') FROM touched GROUP BY lower(value)",
            removed=removing,
        )
        cursor.execute(
            statement,
            [name, name, name, name, target.tenant_id, *values, name,
             target.tenant_id, target.kind_id],
        )  # fmt: skip
        return {value: ValueCounts(*counts) for value, *counts in cursor.fetchall()}
