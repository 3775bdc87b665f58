"""One job: its page, the decisions about it, and its files."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from imports.issues import Code
from imports.jobs import actions, corrections, instructions, queries, undo
from imports.models import ImportJob, IssueGroup
from imports.web import outcome, progress
from imports.web.limits import LABELS
from portal import audit
from portal.models import Drop, Role, User
from portal.web import address, live
from portal.web.acting import or_404
from portal.web.downloads import stored_file
from portal.web.permissions import TenantRequest, require

State = ImportJob.State
_NEWER = 3  # newer files that a held job names


@require_GET
@require(Role.VIEWER)
def job_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Everything about one job; the changing part is live while the job is unfinished."""
    job = or_404(queries.job(request.tenant, uid))
    # A job that waits for a person or has ended is not polled.
    moving = job.state in queries.UNFINISHED
    groups = [_group(group) for group in queries.issue_groups(job)]
    context = {
        "section": "jobs",
        "job": job,
        "outcome": outcome.sentence(job),
        "progress": progress.of(job, timezone.now()),
        "events": _timeline(job),
        "groups": groups,
        "counts": outcome.counts(job),
        "every": (2 if job.state == State.RUNNING else 5) if moving else 0,
        "upload": queries.upload(job),
        "can_retry": can_retry(job),
        "has_original": has_original(job),
        "can_undo": is_applied(job) and not undo.refusal(job),
        "can_correct": corrections.expected(job),
        "can_try_again": corrections.can_be_tried_again(job),
        "undos": list(job.undos.order_by("pk")),
        "corrections": outcome.corrected_by(job),
        "has_rows": bool(job.attachment and job.rows_rejected),
        "by_manifest": by_manifest(job),
        "needs_template": any(g["group"].code == Code.BAD_TEMPLATE for g in groups),
        "is_astray": any(g["group"].code == Code.OTHER_FEED for g in groups),
        "raisable": raisable(job),
        "lacks_columns": job.state == State.HELD and actions.lacks_columns(job),
        "plan": plan_of(job),
        "newer_rules": actions.has_newer_rules(job),
        "folder": _folder(job),
        "newer": list(queries.applied_since(job)[:_NEWER]) if job.state == State.HELD else [],
    }
    return live.page(request, "imports/job.html", "imports/_job.html", context)


def _timeline(job: ImportJob) -> list[dict[str, Any]]:
    words = dict(State.choices)
    return [
        {"event": event, "label": words.get(State(event.state)) if event.state in State.values
         else event.state}
        for event in queries.events(job)
    ]  # fmt: skip


def _group(group: IssueGroup) -> dict[str, Any]:
    """The group with its examples as (line, text); other stored forms are left out."""
    pairs = [pair for pair in group.examples if isinstance(pair, list) and len(pair) == 2]
    return {"group": group, "examples": pairs[:5]}


def by_manifest(job: ImportJob) -> bool:
    """Whether the job's file came with a manifest, and not as itself or from a person."""
    row = job.arrival_file
    return row is not None and row.arrival.drop.protocol == Drop.Protocol.MANIFEST


def _folder(job: ImportJob) -> Drop | None:
    """The folder whose limits hold the job; none for a file that a template reads."""
    if job.state != State.HELD or job.template_version_id is not None:
        return None
    folder = instructions.folder_of(job)
    by_manifest = folder is not None and folder.protocol == Drop.Protocol.MANIFEST
    return folder if by_manifest else None


def can_retry(job: ImportJob) -> bool:
    """Whether the job failed by our fault and its file is still there."""
    ours = job.state == State.FAILED and job.fault == ImportJob.Fault.PORTAL
    return ours and has_original(job)


def is_applied(job: ImportJob) -> bool:
    """Whether the job has changed records."""
    changed = job.rows_created or job.rows_updated or job.rows_removed
    return job.state in undo.APPLIED and bool(changed)


def raisable(job: ImportJob) -> list[dict[str, Any]]:
    """The limits that hold the job and may be raised for it, with the value that is needed."""
    if job.state != State.HELD:
        return []
    # One limit may hold the job for several fields: the largest number is what is needed.
    holds: dict[str, dict[str, Any]] = {}
    for hold in job.hold_reasons:
        code = hold.get("code")
        if code in LABELS and hold["count"] >= holds.get(code, hold)["count"]:
            holds[code] = hold
    return [
        {"name": name, "label": LABELS[name], "now": hold["limit"], "needed": _needed(hold)}
        for name, hold in holds.items()
    ]


def _needed(hold: dict[str, Any]) -> str:
    """The lowest limit that allows what was measured."""
    in_percent = hold["code"] in ("size_change", "key_churn") and "%" in str(hold["limit"])
    return f"{hold['count']}%" if in_percent else str(hold["count"])


def plan_of(job: ImportJob) -> list[dict[str, Any]]:
    """The first rows of the plan of a held job or a dry run, by what would happen to them."""
    detail = job.plan_detail
    if job.state not in (State.HELD, State.PLANNED) or not isinstance(detail, dict):
        return []
    titles = (
        ("zeros", _("New, but only leading zeros differ from a stored identifier"), None),
        ("reused", _("The same identifier, but somebody or something else"), None),
        ("removes", _("Would be removed"), job.rows_removed),
        ("updates", _("Would be updated"), job.rows_updated),
        ("creates", _("Would be created"), job.rows_created),
    )
    counts = {hold.get("code"): hold.get("count") for hold in job.hold_reasons}
    of_doubts = {"zeros": counts.get("lost_zeros"), "reused": counts.get("reused_keys")}
    return [
        {
            "name": name,
            "title": title,
            "rows": [_readable(row) for row in detail[name]],
            "count": count if count is not None else of_doubts.get(name) or len(detail[name]),
        }
        | ({"dependents": detail.get("dependents")} if name == "removes" else {})
        for name, title, count in titles
        if detail.get(name)
    ]


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Plans of an older portal have the parts of a key as the store separates them."""
    return {**row, "key": str(row.get("key", "")).replace("\x1f", " / ")}


def has_original(job: ImportJob) -> bool:
    """Whether the original file is still kept."""
    return bool(job.content) and (job.kept_until is None or job.kept_until > timezone.now())


@require_GET
@require(Role.VIEWER)
def job_by_number(request: TenantRequest, number: int) -> HttpResponse:
    """Redirect to the page of the job with this row number, which records refer to it by."""
    return redirect("job", or_404(queries.job_uids(request.tenant, [number]).get(number)))


Act = Callable[[ImportJob, User, str | None], None]


def _act(request: TenantRequest, uid: uuid.UUID, act: Act, done: str) -> HttpResponse:
    job = or_404(queries.job(request.tenant, uid))
    try:
        act(job, request.user, address.client(request) or None)
    except actions.BadLimits as why:
        messages.error(request, _("Nothing was done: %(why)s") % {"why": why})
    except actions.NotPossible:
        messages.error(
            request,
            _(
                "Nothing was done: the job's state has changed in the meantime. This is its "
                "current state."
            ),
        )
    else:
        messages.success(request, done)
    return redirect("job", uid)


@require_POST
@require(Role.MANAGER)
def job_release(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Release a held job; with `limit_…` in the form, with these limits for this job only."""
    given = {name: request.POST.get(f"limit_{name}", "").strip() for name in LABELS}
    limits: dict[str, str | int] = {name: text for name, text in given.items() if text}

    def act(job: ImportJob, user: User, address: str | None) -> None:
        actions.release(job, user, address, limits or None)

    return _act(request, uid, act, _("Released. The import continues in a moment."))


@require_POST
@require(Role.MANAGER)
def job_plan_again(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Read a held file again with its folder's limits, or its template, as they are now."""
    return _act(request, uid, actions.plan_again, _("The file is read again in a moment."))


@require_POST
@require(Role.MANAGER)
def job_discard(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Discard a held job."""
    return _act(request, uid, actions.discard, _("Discarded. Nothing in the store was changed."))


@require_POST
@require(Role.MANAGER)
def job_retry(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Try a job again that failed by our fault."""
    return _act(request, uid, actions.retry, _("The file will be retried in a moment."))


@require_GET
@require(Role.MANAGER)
def job_attachment(request: TenantRequest, uid: uuid.UUID) -> FileResponse:
    """The rejected rows as a CSV file."""
    job = or_404(queries.job(request.tenant, uid))
    stem = PurePath(job.file_name.replace("\\", "/")).stem or "file"
    return _download(request, job, job.attachment, f"{stem}-errors.csv", "job.attachment")


@require_GET
@require(Role.MANAGER)
def job_original(request: TenantRequest, uid: uuid.UUID) -> FileResponse:
    """The file as it was sent, while it is kept."""
    job = or_404(queries.job(request.tenant, uid))
    content = job.content if has_original(job) else ""
    name = PurePath(job.file_name.replace("\\", "/")).name or "file.csv"
    return _download(request, job, content, name, "job.original")


def _download(
    request: TenantRequest, job: ImportJob, content: str, name: str, action: str
) -> FileResponse:
    """The stored file as an attachment. Raises Http404 where it is not kept."""
    response = stored_file(content, name)
    audit.record(
        job.tenant_id, action, str(job.uid),
        user=request.user, address=address.client(request) or None, file=job.file_name,
    )  # fmt: skip
    return response
