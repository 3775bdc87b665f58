"""How a job ends or pauses: each change of state with its line in the timeline, in one place.

Their data (*failed* with fault "sender") and our fault (*errored*, later *failed* with fault
"portal") never mix (design.md section 3, rule 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from imports.issues import Issue
from imports.jobs import mail
from imports.load.limits import Hold, Plan
from imports.models import ImportJob, IssueGroup, JobEvent
from imports.report.summary import Summary
from portal import lifecycle, logs
from portal.events import recording

log = logs.get(__name__)
State = ImportJob.State
_RETRY_SECONDS = (5, 30, 120)
# So many reasons stand in the job's one sentence; the list has all.
_TOLD = 5


def moved(job: ImportJob, state: str, note: str = "", actor: str = "Import engine") -> None:
    """Write a line of the timeline."""
    JobEvent.objects.create(
        tenant_id=job.tenant_id, job=job, state=state, note=note, actor=actor[:200]
    )


def finish(job: ImportJob, plan: Plan, summary: Summary, attachment: str) -> None:
    """Complete, incomplete, or failed where every row was rejected. In the apply's transaction."""
    state, reason = verdict(plan)
    fault = ImportJob.Fault.SENDER if state == State.FAILED else ImportJob.Fault.NONE
    _close(job, state, plan=plan, reason=reason, fault=fault, attachment=attachment)
    write_groups(job, summary)
    if state != State.FAILED:
        _announce(job, state, plan)


def planned(
    job: ImportJob,
    plan: Plan,
    summary: Summary,
    attachment: str,
    detail: Mapping[str, Any],
    holds: Sequence[Hold] = (),
) -> None:
    """A dry run stops after the plan; it tells what would hold the real one."""
    with transaction.atomic():
        _close(
            job,
            State.PLANNED,
            plan=plan,
            reason="",
            hold_reasons=[hold.as_json() for hold in holds],
            plan_detail=detail,
            attachment=attachment,
        )
        write_groups(job, summary)


def hold(
    job: ImportJob,
    plan: Plan,
    summary: Summary,
    attachment: str,
    detail: Mapping[str, Any],
    holds: Sequence[Hold],
) -> None:
    """Wait for a person; nothing is applied before."""
    with transaction.atomic():
        _close(
            job,
            State.HELD,
            plan=plan,
            reason=" ".join(one.sentence for one in holds[:_TOLD]),
            hold_reasons=[one.as_json() for one in holds],
            plan_detail=detail,
            attachment=attachment,
        )
        write_groups(job, summary)


def undone(
    undo: ImportJob, job: ImportJob, plan: Plan, reason: str, left: list[dict[str, Any]]
) -> None:
    """An undo has put back what it may; the undone job's timeline tells. In its transaction."""
    state = State.INCOMPLETE if left else State.COMPLETE
    _close(undo, state, plan=plan, reason=reason, plan_detail={"left": left})
    moved(job, job.state, f"Undone by job {undo.uid}. {reason}")
    _announce(undo, state, plan)


def refuse_undo(undo: ImportJob, reason: str) -> None:
    """What was asked for is not possible any more: nobody's fault, and nothing was changed."""
    _close(undo, State.FAILED, reason=reason)


def refuse(job: ImportJob, issues: Iterable[Issue], attachment: str) -> None:
    """The file as a whole cannot be imported: the sender is told why."""
    found = list(issues)
    summary = Summary()
    for issue in found:
        summary.add(issue)
    reason = " ".join(issue.message for issue in found[:3])
    with transaction.atomic():
        _close(
            job,
            State.FAILED,
            reason=reason,
            fault=ImportJob.Fault.SENDER,
            attachment=attachment,
        )
        write_groups(job, summary)


def errored(job: ImportJob, error: Exception) -> None:
    """Our fault: try again later, at most MAX_ATTEMPTS times; then fail and tell the operator."""
    log.exception("import_errored", job_id=job.pk, attempt=job.attempt, exc_info=error)
    if job.attempt >= settings.MAX_ATTEMPTS:
        gave_up(job, f"It failed {job.attempt} times. The last error: {type(error).__name__}.")
        return
    wait = _RETRY_SECONDS[min(job.attempt, len(_RETRY_SECONDS)) - 1]
    note = f"{type(error).__name__}. The portal retries in {wait} seconds."
    with transaction.atomic():
        lifecycle.advance(
            job,
            to=State.ERRORED,
            allowed=[State.RUNNING],
            stage=ImportJob.Stage.QUEUED,
            ready_at=Now() + timedelta(seconds=wait),
            reason=note,
            fault=ImportJob.Fault.PORTAL,
            **lifecycle.released(),
        )
        moved(job, State.ERRORED, note)


def gave_up(job: ImportJob, why: str = "") -> None:
    """Too many attempts: failed, by our fault, with the file kept for another try by hand."""
    why = why or f"The import stopped without an error message {settings.MAX_ATTEMPTS} times."
    reason = (
        f"{why} This is a portal error, not a problem with the file. The operator "
        "has been notified."
    )
    log.error("import_gave_up", job_id=job.pk, tenant_id=job.tenant_id, reason=why)
    with transaction.atomic():
        _close(job, State.FAILED, reason=reason, fault=ImportJob.Fault.PORTAL)


def verdict(plan: Plan) -> tuple[str, str]:
    """The state that a carried-out plan ends in, and the sentence with it."""
    if plan.rejected and plan.rejected == plan.read:
        rows = "The only row was" if plan.read == 1 else f"All {plan.read:,} rows were"
        return State.FAILED, f"{rows} rejected; nothing was imported. See the error attachment."
    if plan.rejected:
        return State.INCOMPLETE, f"{plan.rejected:,} of {plan.read:,} rows were rejected."
    return State.COMPLETE, ""


def write_groups(job: ImportJob, summary: Summary) -> None:
    """Replace the job's issues by cause."""
    job.issue_groups.all().delete()
    IssueGroup.objects.bulk_create(
        IssueGroup(
            tenant_id=job.tenant_id,
            job=job,
            severity=group.severity,
            code=group.code,
            column=group.column or "",
            count=group.count,
            message=group.message,
            examples=[list(pair) for pair in group.examples],
        )
        for group in summary.groups()
    )


def _announce(job: ImportJob, state: str, plan: Plan) -> None:
    """That records were changed is an event too, so that an export can pass it on."""
    payload = {
        "job": str(job.uid),
        "number": job.pk,
        "recordType": job.record_type,
        "feed": job.feed,
        "fileName": job.file_name,
        "state": state,
        "created": plan.created,
        "updated": plan.updated,
        "unchanged": plan.unchanged,
        "removed": plan.removed,
        "rejected": plan.rejected,
    }
    recording.announce(job.tenant_id, f"import-{job.uid}", "importFinished", job.file_name, payload)


def _close(job: ImportJob, state: str, plan: Plan | None = None, **changes: Any) -> None:
    if plan is not None:
        changes |= {
            "rows_read": plan.read,
            "rows_created": plan.created,
            "rows_updated": plan.updated,
            "rows_unchanged": plan.unchanged,
            "rows_removed": plan.removed,
            "rows_rejected": plan.rejected,
        }
    lifecycle.advance(
        job,
        to=state,
        allowed=[State.RUNNING],
        stage=ImportJob.Stage.QUEUED,
        finished_at=None if state == State.HELD else Now(),
        **changes,
        **lifecycle.released(),
    )
    moved(job, state, changes.get("reason", ""))
    mail.moved(job)
