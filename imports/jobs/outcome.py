"""How a job ends or pauses: each change of state with its line in the timeline, in one place.

Their data (*failed* with fault "sender") and our fault (*errored*, later *failed* with fault
"portal") never mix (design.md section 3, rule 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest, Now

from imports.issues import Issue, counted, headline
from imports.jobs import mail, waiting
from imports.load.measured import Hold, Plan
from imports.models import Arrival, ImportJob, IssueGroup, JobEvent
from imports.report.summary import Summary
from portal import lifecycle, logs
from portal.events import recording

log = logs.get(__name__)
State = ImportJob.State
# Reasons in the job's one sentence; its list has all of them.
_MOST_REASONS = 5


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """What a page shows of a plan, and the digests by which a release knows it again."""

    detail: Mapping[str, Any]
    digests: Mapping[str, str] | None = None


def record_state(job: ImportJob, state: str, note: str = "", actor: str = "Import engine") -> None:
    """Add a line to the job's timeline."""
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


def finish_dry_run(
    job: ImportJob,
    plan: Plan,
    summary: Summary,
    attachment: str,
    shown: ShownPlan,
    holds: Sequence[Hold] = (),
) -> None:
    """A dry run stops after the plan, and records what would hold the real job."""
    with transaction.atomic():
        _close(
            job,
            State.PLANNED,
            plan=plan,
            reason="",
            hold_reasons=[hold.as_json() for hold in holds],
            plan_detail=shown.detail,
            plan_digests=shown.digests,
            attachment=attachment,
        )
        write_groups(job, summary)


def hold(
    job: ImportJob,
    plan: Plan,
    summary: Summary,
    attachment: str,
    shown: ShownPlan,
    holds: Sequence[Hold],
) -> None:
    """Wait for a person; nothing is applied before."""
    with transaction.atomic():
        _close(
            job,
            State.HELD,
            plan=plan,
            reason=_first_few([hold.sentence for hold in holds], "reasons"),
            hold_reasons=[hold.as_json() for hold in holds],
            plan_detail=shown.detail,
            plan_digests=shown.digests,
            attachment=attachment,
        )
        write_groups(job, summary)


def finish_undo(
    undo: ImportJob, job: ImportJob, plan: Plan, reason: str, detail: Mapping[str, Any]
) -> None:
    """An undo has put back what it may; the undone job's timeline says so. In its transaction."""
    state = State.INCOMPLETE if detail["left"] else State.COMPLETE
    _close(undo, state, plan=plan, reason=reason, plan_detail=detail)
    record_state(job, job.state, f"Undone by job {undo.uid}. {reason}")
    for changed in filter(None, (job.pk, job.corrects_id)):
        _report_again(changed)
    _announce(undo, state, plan)


def wait(job: ImportJob, missing: int) -> None:
    """Put the job back for some minutes, as if it had not run: what it refers to may be coming."""
    until = Coalesce(F("waits_until"), Now() + timedelta(seconds=settings.REFERENCE_WAIT_SECONDS))
    note = (
        f"{counted(missing, 'reference')} to records that are not there yet. The file waits for "
        f"them, {settings.REFERENCE_WAIT_SECONDS // 60 or 1} min at most, and is then imported."
    )
    with transaction.atomic():
        lifecycle.advance(
            job,
            to=State.READY,
            allowed=[State.RUNNING],
            stage=ImportJob.Stage.QUEUED,
            attempt=0,
            waits_until=until,
            ready_at=Greatest(until, Now() + waiting.AGAIN),
            **lifecycle.released(),
        )
        record_state(job, State.READY, note)


def refuse_undo(undo: ImportJob, reason: str) -> None:
    """The undo is not possible any more: without a fault, and nothing was changed."""
    _close(undo, State.FAILED, reason=reason)


def refuse(job: ImportJob, issues: Sequence[Issue], attachment: str) -> None:
    """The file as a whole cannot be imported: the sender gets the reasons."""
    summary = Summary()
    for issue in issues:
        summary.add(issue)
    reason = headline(issues)
    with transaction.atomic():
        _close(
            job,
            State.FAILED,
            reason=reason,
            fault=ImportJob.Fault.SENDER,
            attachment=attachment,
            rows_rejected=0,  # its attachment lists the problems, and has no rows to correct
        )
        write_groups(job, summary)


def errored(job: ImportJob, error: Exception) -> None:
    """Our fault: try again later, at most MAX_ATTEMPTS times; then fail and notify the operator."""
    log.exception("import_errored", job_id=job.pk, attempt=job.attempt, exc_info=error)
    if why := lifecycle.out_of_attempts(job, error):
        give_up(job, why)
        return
    with transaction.atomic():
        note = lifecycle.try_again(
            job,
            error,
            to=State.ERRORED,
            allowed=[State.RUNNING],
            stage=ImportJob.Stage.QUEUED,
            fault=ImportJob.Fault.PORTAL,
        )
        record_state(job, State.ERRORED, note)


def give_up(job: ImportJob, why: str = "") -> None:
    """Too many attempts: failed, by our fault, with the file kept for another try by hand."""
    why = why or f"The import stopped without an error message {settings.MAX_ATTEMPTS} times."
    reason = (
        f"{why} This is a portal error, not a problem with the file. The operator "
        "has been notified."
    )
    log.error("import_gave_up", job_id=job.pk, tenant_id=job.tenant_id, reason=why)
    with transaction.atomic():
        _close(job, State.FAILED, reason=reason, fault=ImportJob.Fault.PORTAL)


def _first_few(sentences: Sequence[str], noun: str) -> str:
    """The sentences in one; where there are many, how many more the job's list has."""
    shown = sentences if len(sentences) <= _MOST_REASONS else sentences[: _MOST_REASONS - 1]
    left = len(sentences) - len(shown)
    more = [f"And {left:,} more {noun}; the list has them all."] if left else []
    return " ".join([*shown, *more])


def verdict(plan: Plan) -> tuple[str, str]:
    """The state that a carried-out plan ends in, and the sentence with it."""
    if plan.rejected and plan.rejected == plan.read:
        rows = "The only row was" if plan.read == 1 else f"All {plan.read:,} rows were"
        return State.FAILED, f"{rows} rejected; nothing was imported."
    if plan.rejected:
        were = "was" if plan.rejected == 1 else "were"
        return State.INCOMPLETE, f"{plan.rejected:,} of {plan.read:,} rows {were} rejected."
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
    """Record that records were changed as an event, so that an export can pass it on."""
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
    record_state(job, state, changes.get("reason", ""))
    if job.corrects_id is not None and state != State.HELD:
        _report_again(job.corrects_id)
    mail.state_changed(job)


def _report_again(job_id: int) -> None:
    """Have the collector write a job's receipt again: it says what holds now."""
    Arrival.objects.filter(files__job=job_id).update(settled_at=None)
