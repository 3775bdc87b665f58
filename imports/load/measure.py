"""What the limits ask about a plan and its counts do not say: measured in sets by SQL.

Only what a limit needs is measured; looking people up by name and e-mail only where so many
identifiers came and went that it is worth a second.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from imports.load import limits
from imports.load.limits import Hold, Measured, Plan, ValueCounts
from imports.load.plan import Absent, Value, steer
from imports.load.staging import StagingTable
from imports.load.stored import KnownRecords, Target
from imports.models import ImportJob
from portal.records.definitions import FieldType, RecordType

# So many of the new rows are looked up: enough to tell half from none.
_SAMPLE = 10_000
_NAMES_NOBODY = (FieldType.ENUM, FieldType.BOOLEAN)


def holds(
    job: ImportJob,
    record_type: RecordType,
    target: Target,
    staging: StagingTable,
    plan: Plan,
    known: KnownRecords,
    absent: Absent | None,
) -> list[Hold]:
    """Why the plan must wait for a person, by the job's limits. Raises BadLimit."""
    missing, checked, found = 0, 0, 0
    if "key_churn" in job.limits or limits.identifiers_suspect(plan, plan.stored):
        missing = plan.stored - matched(staging) - known.skipped
    if limits.identifiers_suspect(plan, missing):
        checked, found = known_otherwise(staging, target, signature(record_type))
    per = job.limits_per
    measured = Measured(
        plan=plan,
        size=job.file_size,
        last_size=last_size(job) if "size_change" in job.limits else None,
        missing=missing,
        checked=checked,
        known=found,
        per_value=per_value(staging, target, str(per["field"]), absent) if per else {},
    )
    return limits.holds(measured, job.limits, per, job.released_plan)


def matched(staging: StagingTable) -> int:
    """How many active records the staged rows name."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {staging.matches} m JOIN portal_record r USING (id) "  # noqa: S608
            "WHERE r.active"
        )
        (found,) = cursor.fetchone()
    return int(found)


def last_size(job: ImportJob) -> int | None:
    """The size of the last file of this feed and template that was applied, in bytes."""
    applied = (ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE)
    earlier = ImportJob.objects.filter(
        tenant_id=job.tenant_id, feed=job.feed, state__in=applied, undoes=None
    )
    version = job.template_version
    earlier = earlier.filter(template_version__template=version.template_id if version else None)
    found = earlier.exclude(pk=job.pk).order_by("-finished_at")
    return found.values_list("file_size", flat=True).first()


def signature(record_type: RecordType) -> tuple[str, ...]:
    """The fields by which a record is known without its identifier; none where nothing tells.

    The e-mail address where the type has one, else what lists show beside the key. Types that are
    identified by several fields are left out: a new date beside a known person is no new person.
    """
    if len(record_type.key) > 1 or record_type.field(record_type.key[0]).references:
        return ()
    others = [f for f in record_type.fields if f.name not in record_type.key and not f.many]
    emails = [f.name for f in others if f.type == FieldType.EMAIL]
    if emails:
        return (emails[0],)
    telling = [
        f.name
        for f in others
        if f.name in record_type.title
        and f.type not in _NAMES_NOBODY
        and f.references != record_type.name
    ]
    return tuple(telling)


def known_otherwise(staging: StagingTable, target: Target, names: Sequence[str]) -> tuple[int, int]:
    """Of a sample of the new rows: how many there are, and how many the store knows otherwise.

    Known otherwise: an active record that the staged rows do not name has the same values in these
    fields, case ignored. Rows that are blank there count as unknown.
    """
    if not names:
        return 0, 0
    # Joined by ||, so that who is blank in one of the fields is nobody.
    fresh = " || chr(31) || ".join("lower(s.data ->> %s)" for _ in names)
    stored = " || chr(31) || ".join("lower(r.data ->> %s)" for _ in names)
    with transaction.atomic(), connection.cursor() as cursor:
        steer(_SAMPLE * 100)
        # One pass over the store, looking each record up in the sample: the planner would sort
        # millions of records for it, or compare each of the sample with each of them.
        cursor.execute("SET LOCAL enable_mergejoin = off")
        cursor.execute(
            f"WITH fresh AS MATERIALIZED (SELECT {fresh} AS who FROM {staging.rows} s "  # noqa: S608
            f"WHERE NOT EXISTS (SELECT FROM {staging.matches} m WHERE m.line = s.line) "
            f"LIMIT {_SAMPLE}), met AS MATERIALIZED (SELECT {stored} AS who FROM portal_record r "
            "WHERE r.tenant_id = %s AND r.kind_id = %s AND r.active "
            f"AND {stored} IN (SELECT who FROM fresh) "
            f"AND NOT EXISTS (SELECT FROM {staging.matches} m WHERE m.id = r.id) GROUP BY 1) "
            "SELECT count(*), count(met.who) FROM fresh LEFT JOIN met USING (who)",
            [*names, *names, target.tenant_id, target.kind_id, *names],
        )
        checked, known = cursor.fetchone()
    return int(checked), int(known)


def per_value(
    staging: StagingTable, target: Target, name: str, absent: Absent | None
) -> dict[str, ValueCounts]:
    """What the plan does to the records with each value of a field, case ignored.

    A changed record counts under the value it will have, a removed one under the one it has.
    absent: how a mirror tells what the file does not name; None for other files.
    """
    removed = f"SELECT id FROM {staging.matches} WHERE verdict = 'remove'"  # noqa: S608
    values: list[Value] = []
    if absent is not None:
        query, given = absent.query(staging, target)
        removed += f" UNION ALL {query}"
        values = given
    with transaction.atomic(), connection.cursor() as cursor:
        steer(_SAMPLE * 100)
        cursor.execute(
            "WITH touched AS ("  # noqa: S608
            "SELECT CASE WHEN m.verdict IS NULL THEN 'create' ELSE 'update' END AS what, "
            "CASE WHEN s.data ? %s THEN s.data ->> %s ELSE r.data ->> %s END AS value "
            f"FROM {staging.rows} s LEFT JOIN {staging.matches} m USING (line) "
            "LEFT JOIN portal_record r ON r.id = m.id "
            "WHERE m.verdict IS NULL OR m.verdict = 'update' "
            "UNION ALL SELECT 'remove', data ->> %s FROM portal_record "
            f"WHERE tenant_id = %s AND id IN ({removed}) "
            "UNION ALL SELECT 'stored', data ->> %s FROM portal_record "
            "WHERE tenant_id = %s AND kind_id = %s AND active) "
            "SELECT coalesce(min(value), ''), count(*) FILTER (WHERE what = 'create'), "
            "count(*) FILTER (WHERE what = 'update'), count(*) FILTER (WHERE what = 'remove'), "
            "count(*) FILTER (WHERE what = 'stored') FROM touched GROUP BY lower(value)",
            [name, name, name, name, target.tenant_id, *values, name,
             target.tenant_id, target.kind_id],
        )  # fmt: skip
        return {value: ValueCounts(*counts) for value, *counts in cursor.fetchall()}
