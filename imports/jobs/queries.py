"""All reading for pages and the API: jobs, arrivals and files in the folders. Tenant first."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, When
from django.db.models.functions import Coalesce, Now

from imports.models import Arrival, ArrivalFile, Decision, ImportJob, IssueGroup, JobEvent, Sighting
from portal.models import Drop, Tenant, Upload

MISPLACED = "misplaced"
UNFINISHED = (ImportJob.State.READY, ImportJob.State.RUNNING, ImportJob.State.ERRORED)

# What a list may be sorted by: the word in the address, and the expression.
JOB_ORDERS: dict[str, Any] = {
    "status": F("state"),
    "file": F("file_name"),
    "type": F("record_type"),
    "read": F("rows_read"),
    "created": F("rows_created"),
    "updated": F("rows_updated"),
    "unchanged": F("rows_unchanged"),
    "removed": F("rows_removed"),
    "rejected": F("rows_rejected"),
    "received": F("created_at"),
    "duration": Coalesce(F("finished_at"), Now()) - F("started_at"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What a list of jobs shows. since and until: received from, and before. Empty means all."""

    states: tuple[str, ...] = ()
    record_type: str = ""
    since: datetime | None = None
    until: datetime | None = None
    name: str = ""
    sort: str = "-received"


def jobs(tenant: Tenant, filters: JobFilter) -> QuerySet[ImportJob]:
    """The tenant's jobs that match the filter, in its order, with where they came from."""
    rows = (
        ImportJob.objects.filter(tenant=tenant)
        .select_related("arrival_file__arrival__account", "user")
        .defer(
            "spec",
            "limits",
            "limits_per",
            "released_plan",
            "plan_detail",
            "dialect",
            "hold_reasons",
        )
    )
    return rows.filter(_matching(filters)).order_by(*_order(filters.sort))


def _matching(filters: JobFilter) -> Q:
    rule = Q()
    if filters.states:
        rule &= Q(state__in=filters.states)
    if filters.record_type:
        rule &= Q(record_type=filters.record_type)
    if filters.since:
        rule &= Q(created_at__gte=filters.since)
    if filters.until:
        rule &= Q(created_at__lt=filters.until)
    if filters.name:
        rule &= Q(file_name__icontains=filters.name)
    return rule


def _order(sort: str) -> tuple[Any, ...]:
    down = sort.startswith("-")
    column = JOB_ORDERS.get(sort.lstrip("-"))
    if column is None:
        down, column = True, JOB_ORDERS["received"]
    first = column.desc(nulls_last=True) if down else column.asc(nulls_last=True)
    return first, "-id" if down else "id"


def undone(jobs: Iterable[int]) -> set[int]:
    """Those of the jobs, by primary key, that were undone by an undo that holds."""
    applied = (ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE)
    undos = ImportJob.objects.filter(undoes__in=jobs, state__in=applied).order_by()
    pairs = dict(undos.values_list("pk", "undoes_id"))
    gone = undone(pairs) if pairs else set()
    return {job for undo, job in pairs.items() if undo not in gone and job is not None}


def in_slices(jobs: QuerySet[ImportJob], size: int = 500) -> Iterator[Sequence[ImportJob]]:
    """The jobs in slices of that size, newest first, each a query of its own.

    Rows that arrive meanwhile do not move the slices: each begins below the last id.
    """
    newest_first = jobs.order_by("-id")
    below: int | None = None
    while True:
        piece = newest_first.filter(id__lt=below) if below is not None else newest_first
        rows = list(piece[:size])
        if not rows:
            return
        yield rows
        below = rows[-1].pk


def job(tenant: Tenant, uid: uuid.UUID) -> ImportJob | None:
    """The tenant's job with everything its page shows of its origin; None where there is none."""
    origin = "arrival_file__arrival__drop__endpoint"
    rows = ImportJob.objects.filter(tenant=tenant, uid=uid)
    related = (
        "arrival_file__arrival__account",
        "user",
        "undoes",
        "corrects",
        "template_version__template",
    )
    return rows.select_related(origin, *related).first()


def job_uids(tenant: Tenant, numbers: Sequence[int | None]) -> dict[int, uuid.UUID]:
    """The public ids of the tenant's jobs with these row numbers."""
    primary_keys = [number for number in numbers if number is not None]
    rows = ImportJob.objects.filter(tenant=tenant, pk__in=primary_keys)
    return dict(rows.values_list("pk", "uid"))


def events(job: ImportJob) -> QuerySet[JobEvent]:
    """The job's timeline, oldest first."""
    return JobEvent.objects.filter(tenant_id=job.tenant_id, job=job).order_by("at", "id")


def issue_groups(job: ImportJob) -> QuerySet[IssueGroup]:
    """The job's issues by cause: errors before warnings, the most frequent first."""
    groups = IssueGroup.objects.filter(tenant_id=job.tenant_id, job=job)
    return groups.order_by("severity", "-count", "id")  # "error" sorts before "warning"


def upload(job: ImportJob) -> Upload | None:
    """The upload that brought the job's file: the newest complete one of its path."""
    if job.arrival_file is None:
        return None
    drop = job.arrival_file.arrival.drop
    path = f"{drop.path}/{job.arrival_file.name}".lstrip("/")
    uploads = Upload.objects.filter(
        tenant_id=job.tenant_id, endpoint_id=drop.endpoint_id, path=path
    )
    uploads = uploads.filter(state=Upload.State.COMPLETE, started_at__lte=job.created_at)
    return uploads.select_related("session").order_by("-started_at").first()


def applied_since(job: ImportJob) -> QuerySet[ImportJob]:
    """Imports of newer files than the job's that were applied and hold, the last one first.

    Newer ones of the same template, else of the same folder, else of the same feed.
    """
    applied = (ImportJob.State.COMPLETE, ImportJob.State.INCOMPLETE)
    rows = ImportJob.objects.filter(
        tenant_id=job.tenant_id, feed=job.feed, pk__gt=job.pk, state__in=applied, undoes=None
    )
    if job.template_version is not None:
        rows = rows.filter(template_version__template=job.template_version.template_id)
    elif job.arrival_file is not None:
        rows = rows.filter(arrival_file__arrival__drop=job.arrival_file.arrival.drop_id)
    return rows.exclude(undos__state__in=applied).order_by("-finished_at", "-pk")


def counts_by_state(tenant: Tenant, since: datetime) -> dict[str, int]:
    """Jobs received since then by state; held and unfinished jobs whenever they were received."""
    waiting = (*UNFINISHED, ImportJob.State.HELD)
    rows = ImportJob.objects.filter(tenant=tenant)
    rows = rows.filter(Q(created_at__gte=since) | Q(state__in=waiting))
    return dict(rows.order_by().values_list("state").annotate(n=Count("id")))


# Deliveries that leave no job, or not one for each of their files.
NOT_TAKEN = (
    Arrival.State.INVALID_SCHEMA,
    Arrival.State.INVALID_FILES,
    Arrival.State.CONFIG_MISSING,
    Arrival.State.UNMATCHED,
    Arrival.State.REPLACED,
)


def not_taken(tenant: Tenant, since: datetime) -> int:
    """Deliveries since then that were refused as a whole or in part, and misplaced files now."""
    refused = Arrival.objects.filter(tenant=tenant, state__in=NOT_TAKEN, created_at__gte=since)
    misplaced = Sighting.objects.filter(tenant=tenant, gone_at=None, verdict=MISPLACED)
    return refused.count() + misplaced.count()


def has_jobs(tenant: Tenant) -> bool:
    """Whether the tenant ever had a job."""
    return ImportJob.objects.filter(tenant=tenant).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalFilter:
    """What a list of deliveries shows. Empty means all."""

    state: str = ""
    name: str = ""


def arrivals(tenant: Tenant, filters: ArrivalFilter) -> QuerySet[Arrival]:
    """The tenant's deliveries, newest first, with `file_count` and `problem_count`.

    name: part of the manifest's name or of the name of a file in it.
    """
    rows = Arrival.objects.filter(tenant=tenant).select_related("account", "drop")
    if filters.state:
        rows = rows.filter(state=filters.state)
    if filters.name:
        inside = ArrivalFile.objects.filter(arrival=OuterRef("pk"), name__icontains=filters.name)
        rows = rows.filter(Q(name__icontains=filters.name) | Exists(inside))
    return rows.annotate(
        file_count=Count("files"), problem_count=Count("files", filter=~Q(files__problem=""))
    ).order_by("-created_at", "-id")


def arrival(tenant: Tenant, uid: uuid.UUID) -> Arrival | None:
    """The tenant's delivery with its files, their jobs and its log; None where there is none."""
    files = ArrivalFile.objects.select_related("job", "duplicate_of__arrival").order_by("index")
    rows = Arrival.objects.filter(tenant=tenant, uid=uid)
    return (
        rows.select_related("account", "drop__endpoint")
        .prefetch_related(
            Prefetch("files", files),
            Prefetch("decisions", Decision.objects.order_by("at", "id")),
        )
        .first()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SightingFilter:
    """What the list of files in the folders shows. gone: also those that are there no more."""

    verdict: str = ""
    name: str = ""
    gone: bool = False


def sightings(tenant: Tenant, filters: SightingFilter) -> QuerySet[Sighting]:
    """Files that no delivery took, misplaced ones first, then the last seen."""
    rows = Sighting.objects.filter(tenant=tenant).select_related("endpoint", "drop")
    if not filters.gone:
        rows = rows.filter(gone_at=None)
    if filters.verdict:
        rows = rows.filter(verdict=filters.verdict)
    if filters.name:
        rows = rows.filter(path__icontains=filters.name)
    misplaced_first = Case(When(verdict=MISPLACED, then=0), default=1)
    return rows.order_by(misplaced_first, "-last_seen", "-id")


def sighting(tenant: Tenant, number: int) -> Sighting | None:
    """The tenant's sighting of that number."""
    return Sighting.objects.filter(tenant=tenant, pk=number).first()


def sighting_verdicts(tenant: Tenant) -> dict[str, int]:
    """How many files are in the folders now, by verdict."""
    rows = Sighting.objects.filter(tenant=tenant, gone_at=None).order_by()
    return dict(rows.values_list("verdict").annotate(n=Count("id")))


def folders(tenant: Tenant) -> QuerySet[Drop]:
    """The tenant's drops in use, by path."""
    return (
        Drop.objects.filter(tenant=tenant, enabled=True).select_related("endpoint").order_by("path")
    )


def depth() -> dict[str, int]:
    """Unfinished jobs of every tenant in scope, by state."""
    rows = ImportJob.objects.filter(state__in=UNFINISHED).order_by()
    return dict(rows.values_list("state").annotate(n=Count("id")))


def held_count() -> int:
    """Held jobs of every tenant in scope."""
    return ImportJob.objects.filter(state=ImportJob.State.HELD).count()
