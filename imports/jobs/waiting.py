"""Rows that came too early: a delivered file waits some minutes for what they refer to.

Nobody hears of a rejection for want of a record that is still arriving. The job goes back to the
queue, is run again when a job has written records that it may refer to, and at the latest when its
time is over (setting REFERENCE_WAIT_SECONDS); what is missing then is rejected. After that its
rejected rows are offered again once such records have come (`imports/jobs/corrections.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from imports.issues import Code
from imports.models import ImportJob
from imports.report.summary import Summary
from portal.records.catalog import catalog

State = ImportJob.State
# What a record that has not come yet lets a row fail of.
CODES = (Code.UNKNOWN_REFERENCE, Code.UNKNOWN_KEY)
_UNFINISHED = (State.READY, State.RUNNING, State.ERRORED)
# Beyond its own time a job waits for jobs that end; it is looked at again so often, unless woken.
AGAIN = timedelta(seconds=60)


def missing(summary: Summary) -> int:
    """How many times a row lacks a record that may still come."""
    return sum(group.count for group in summary.groups() if group.code in CODES)


def may_wait(job: ImportJob) -> bool:
    """Whether the job, some of whose rows lack a record, waits for it (once more).

    Only a delivered file waits: a person who sends one wants to see its result. It waits beyond its
    time while a job is unfinished whose records it may refer to. That ends: types refer to each
    other in one direction only, and within a type a job waits for earlier ones.
    """
    if not settings.REFERENCE_WAIT_SECONDS or job.arrival_file_id is None or job.dry_run:
        return False
    if job.waits_until is None:
        return True
    rows = ImportJob.objects.filter(tenant_id=job.tenant_id)
    if rows.filter(pk=job.pk, waits_until__gt=Now()).exists():
        return True
    earlier = Q(record_type=job.record_type, rank__lte=job.rank, pk__lt=job.pk)
    others = Q(record_type__in=_referred_to(job.record_type) - {job.record_type})
    return rows.filter(earlier | others, state__in=_UNFINISHED, dry_run=False).exists()


def wake(job: ImportJob) -> int:
    """Let the jobs run again that may have waited for what this one wrote, or for its end."""
    if job.state in (State.READY, State.RUNNING, State.ERRORED) or job.dry_run:
        return 0
    waiting = _waiting(job.tenant_id).filter(ready_at__gt=Now())
    waiting = waiting.filter(record_type__in=_referring_to(job.record_type))
    if not (job.rows_created or job.rows_updated):
        waiting = waiting.filter(waits_until__lte=Now())
    return waiting.exclude(pk=job.pk).update(ready_at=Now())


def prolong(tenant_id: int, above_rank: int, wait: timedelta) -> None:
    """Keep jobs waiting while a file of a smaller rank is being received."""
    waiting = _waiting(tenant_id).filter(rank__gt=above_rank)
    waiting.filter(waits_until__lt=Now() + wait).update(waits_until=Now() + wait)
    waiting.filter(ready_at__lt=Now() + wait).update(ready_at=Now() + wait)


def has_come_since(job: ImportJob) -> bool:
    """Whether a later job has written records that rejected rows of this one may have lacked."""
    if job.finished_at is None or not job.issue_groups.filter(code__in=CODES).exists():
        return False
    later = ImportJob.objects.filter(
        tenant_id=job.tenant_id,
        record_type__in=_referred_to(job.record_type),
        state__in=(State.COMPLETE, State.INCOMPLETE),
        finished_at__gt=job.finished_at,
    )
    return (
        later.filter(Q(rows_created__gt=0) | Q(rows_updated__gt=0)).exclude(corrects=job).exists()
    )


def _waiting(tenant_id: int) -> QuerySet[ImportJob]:
    rows = ImportJob.objects.filter(tenant_id=tenant_id, state=State.READY)
    return rows.filter(waits_until__isnull=False)


def _referred_to(record_type: str) -> set[str]:
    """The type and those that it refers to; none that the catalog has lost."""
    try:
        return {record_type, *catalog().record_type(record_type).references}
    except KeyError:
        return {record_type}


def _referring_to(record_type: str) -> Collection[str]:
    """The type and those that refer to it."""
    referring = {other.name for other in catalog().order() if record_type in other.references}
    return referring | {record_type}
