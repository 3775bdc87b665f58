"""The list of jobs, live, and as a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from imports.jobs import queries
from imports.models import ImportJob
from imports.web import outcome, progress
from imports.web.filters import JobFilterForm
from portal.models import Account, Role
from portal.people_csv import streamed
from portal.web import connection, labels, live
from portal.web.permissions import TenantRequest, require

PER_PAGE = 50
_FAST, _SLOW = 2, 15  # seconds between two polls: while something moves, and otherwise


@require_GET
@require(Role.VIEWER)
def job_list(request: TenantRequest) -> HttpResponse:
    """The jobs that match the filter, fifty a page."""
    form = JobFilterForm(request.GET)
    job_filter = form.as_filter(request.GET.get("sort", ""))
    page = Paginator(queries.jobs(request.tenant, job_filter), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "section": "jobs",
        "form": form,
        "sort": job_filter.sort,
        "page": page,
        "rows": _rows(page),
        "filtered": any(request.GET.get(name) for name in form.fields),
        **_overview(request),
    }
    if not page.object_list and not context["filtered"]:
        context |= _first_steps(request)
    templates = "imports/jobs.html", "imports/_jobs.html"
    return live.page(request, *templates, context, beside="imports/_tiles.html")


def _rows(page: Page[ImportJob]) -> list[dict[str, Any]]:
    now = timezone.now()
    undone = queries.undone(job.pk for job in page.object_list)
    return [
        {
            "job": job,
            "progress": progress.of(job, now),
            "duration": _duration(job),
            "is_plan": outcome.is_plan(job),
            "is_undone": job.pk in undone,
        }
        for job in page.object_list
    ]


def _duration(job: ImportJob) -> float | None:
    """Seconds from start to end; None where it has not ended."""
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()


def _overview(request: TenantRequest) -> dict[str, Any]:
    """The numbers at the top: jobs of today by the tenant's clock, and unfinished ones."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    counts = queries.counts_by_state(request.tenant, today)
    day = today.date().isoformat()
    unfinished = sum(counts.get(state, 0) for state in queries.UNFINISHED)
    return {
        "not_taken": queries.not_taken(request.tenant, today),
        "cards": [
            {"state": "complete", "label": _("Complete today"), "since": day},
            {"state": "incomplete", "label": _("Incomplete today"), "since": day},
            {"state": "failed", "label": _("Failed today"), "since": day},
            {"state": "held", "label": _("Held for a decision"), "since": ""},
        ],
        "counts": counts,
        "unfinished": unfinished,
        "every": _FAST if unfinished else _SLOW,
    }


def _first_steps(request: TenantRequest) -> dict[str, Any]:
    """What a tenant without a job needs to send its first file."""
    account = Account.objects.filter(tenant=request.tenant, enabled=True).order_by("id").first()
    return {
        "first_steps": not queries.has_jobs(request.tenant),
        "account": account,
        "command": connection.command(account.username if account else "USERNAME"),
        "folders": list(queries.folders(request.tenant)[:12]),
    }


@require_GET
@require(Role.VIEWER)
def job_csv(request: TenantRequest) -> StreamingHttpResponse:
    """The filtered list as a CSV file for people, streamed, newest first."""
    jobs = queries.jobs(request.tenant, JobFilterForm(request.GET).as_filter(""))
    parts, zone = queries.in_slices(jobs), timezone.get_current_timezone()
    name = f"jobs-{timezone.localtime():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        streamed(CSV_HEADER, (_csv_rows(part, zone) for part in parts)),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


CSV_HEADER = (
    "status", "file", "feed", "record_type", "source", "read", "created", "updated", "unchanged",
    "removed", "rejected", "received", "started", "finished", "seconds", "reason", "job",
)  # fmt: skip


def _csv_rows(jobs: Sequence[ImportJob], zone: tzinfo) -> Iterator[list[str]]:
    undone = queries.undone(job.pk for job in jobs)
    for job in jobs:
        state = _("Undone") if job.pk in undone else job.get_state_display()
        yield [str(state), *_csv_cells(job, zone)]


def _csv_cells(job: ImportJob, zone: tzinfo) -> list[str]:
    """The cells after the status."""

    def clock(value: datetime | None) -> str:
        return value.astimezone(zone).isoformat(timespec="seconds") if value else ""

    seconds = _duration(job)
    effects = (job.rows_created, job.rows_updated, job.rows_removed)
    # Only a plan has these numbers where nothing was done.
    created, updated, removed = ("", "", "") if outcome.is_plan(job) else map(str, effects)
    counts = (job.rows_read, created, updated, job.rows_unchanged, removed, job.rows_rejected)
    return [
        job.file_name,
        labels.feed_label(job.feed),
        labels.record_type_label(job.record_type),
        source(job),
        *map(str, counts),
        clock(job.created_at),
        clock(job.started_at),
        clock(job.finished_at),
        "" if seconds is None else f"{seconds:.1f}",
        job.reason,
        str(job.uid),
    ]


def source(job: ImportJob) -> str:
    """Who or what sent the file, in a word or two."""
    if job.arrival_file and job.arrival_file.arrival.account:
        return job.arrival_file.arrival.account.username
    return str(job.user or job.get_asked_by_display())
