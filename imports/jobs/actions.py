"""What a person may do: release or discard a held job, retry a failed one, undo an applied one.

Who may is checked by the caller (page or API). The state changes by one conditional UPDATE, so
that of two people, or of a person and the engine, one wins and the other gets NotPossible.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from imports.jobs import instructions, mail, making, outcome
from imports.jobs.undo import refusal
from imports.load.ceilings import DEFAULTS, BadLimit, LimitValues, check
from imports.load.limits import MISSING_COLUMNS
from imports.models import ImportJob
from portal import audit, bell
from portal.models import User

State = ImportJob.State


# Back to the queue, as if it had never run.
_AGAIN: dict[str, Any] = {
    "state": State.READY,
    "stage": "",
    "attempt": 0,
    "ready_at": Now(),
    "finished_at": None,
}
# What was planned is not what was done.
_NO_COUNTS = {
    f"rows_{name}": 0 for name in ("created", "updated", "unchanged", "removed", "rejected")
}


class NotPossible(Exception):
    """The job is not in a state that allows this any more. Nothing was changed."""


class BadLimits(NotPossible):
    """A limit that cannot be read. Nothing was changed."""


def plan_shown(job: ImportJob) -> dict[str, Any]:
    """The plan of a held job or a dry run as a person agrees to it (`imports/load/released.py`)."""
    return {
        "created": job.rows_created,
        "updated": job.rows_updated,
        "unchanged": job.rows_unchanged,
        "removed": job.rows_removed,
        "rejected": job.rows_rejected,
        "holds": job.hold_reasons,
        "digests": job.plan_digests,
        "planned_at": job.started_at.isoformat() if job.started_at else None,
    }


def release(
    job: ImportJob, user: User, address: str | None = None, limits: LimitValues | None = None
) -> None:
    """Apply the very plan that the page of a held job shows; a plan that changed is held again.

    limits: higher ones for this job only, for a plan that may grow up to them until it is applied.
    A file that lacked columns has no plan yet: it runs again with its template's newest version.
    Raises NotPossible, also for a limit that cannot be read.
    """
    raised = dict(_readable(limits))
    if lacks_columns(job):
        plan, note = None, "Run again with the newest version of its template."
        changes = {**_AGAIN, "limits": {**job.limits, **raised}, **_newest_version(job)}
    else:
        plan, note = {**plan_shown(job), "limits": raised}, _released(limits)
        changes = {**_AGAIN, **_NO_COUNTS}
    with transaction.atomic():
        _change(job, State.HELD, {**changes, "released_plan": plan})
        _record(job, user, address, "job.release", State.READY, note, plan=plan, limits=raised)
        mail.decided(job, user, "released")
        bell.ring_on_commit(bell.IMPORT, job.tenant_id)


def _newest_version(job: ImportJob) -> dict[str, Any]:
    """The newest version of the job's template, with the look-up tables as they are now."""
    if job.template_version is None:
        return {}
    return {"template_version": job.template_version.template.current, "lookups": {}}


def plan_again(job: ImportJob, user: User, address: str | None = None) -> None:
    """Read a held file once more, with its template's newest version and its folder's limits.

    What was agreed to before, and for which limits, does not count any more. Raises NotPossible.
    """
    changes = {**_AGAIN, **_NO_COUNTS, **_newest_version(job), "released_plan": None}
    note = "Run again with the rules as they are now."
    with transaction.atomic():
        _change(job, State.HELD, changes)
        _record(job, user, address, "job.plan", State.READY, note)
        bell.ring_on_commit(bell.IMPORT, job.tenant_id)


def has_newer_rules(job: ImportJob) -> bool:
    """Whether the template has a newer version than a held job, or its folder other limits."""
    if job.state != State.HELD or lacks_columns(job):
        return False
    version = job.template_version
    if version is not None:
        return version.template.current_id not in (None, version.pk)
    if instructions.folder_of(job) is None:
        return False
    limits = {**DEFAULTS, **instructions.own_limits(job)}
    return any(
        str(hold.get("limit")) != str(limits.get(hold["measure"], ""))
        for hold in job.hold_reasons
        if hold.get("measure") and hold["measure"] == hold.get("code")
    )


def lacks_columns(job: ImportJob) -> bool:
    """Whether the job is held because its file lacks columns of its template."""
    return any(hold.get("code") == MISSING_COLUMNS for hold in job.hold_reasons)


def _readable(limits: LimitValues | None) -> LimitValues:
    try:
        check(limits or {})
    except BadLimit as bad:
        raise BadLimits(str(bad)) from bad
    return limits or {}


def _released(limits: LimitValues | None) -> str:
    if not limits:
        return "Released as planned."
    named = ", ".join(f"{name} {limit}" for name, limit in limits.items())
    return f"Released with limits for this job only: {named}."


def discard(job: ImportJob, user: User, address: str | None = None) -> None:
    """Discard a held job: nothing of it is ever applied. Raises NotPossible."""
    with transaction.atomic():
        _change(job, State.HELD, {"state": State.DISCARDED, "finished_at": Now()})
        _record(job, user, address, "job.discard", State.DISCARDED)
        mail.decided(job, user, "discarded")
        bell.ring_on_commit(bell.IMPORT, job.tenant_id)


def retry(job: ImportJob, user: User, address: str | None = None) -> None:
    """Run a job again that failed by our fault, with the same file. Raises NotPossible."""
    asked = {"asked_by": ImportJob.AskedBy.RETRY, "user": user, "reason": "", "fault": ""}
    with transaction.atomic():
        _change(job, State.FAILED, {**_AGAIN, **asked}, only_fault=ImportJob.Fault.PORTAL)
        _record(job, user, address, "job.retry", State.READY)
        bell.ring_on_commit(bell.IMPORT, job.tenant_id)


def undo(job: ImportJob, user: User, address: str | None = None) -> ImportJob:
    """Request the undo of an applied job; returns the job that will do it. Raises NotPossible.

    The caller shows `imports.jobs.undo.preview` beforehand.
    """
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update(no_key=True).filter(tenant_id=job.tenant_id)
        fresh = locked.get(pk=job.pk)
        if why := refusal(fresh):
            raise NotPossible(why)
        undo_job = making.for_undo(fresh, user)
        _audit(undo_job, user, address, "job.undo", undoes=str(job.uid))
    return undo_job


def _change(
    job: ImportJob, allowed: str, changes: dict[str, Any], only_fault: str | None = None
) -> None:
    rows = ImportJob.objects.filter(tenant_id=job.tenant_id, pk=job.pk, state=allowed)
    # A plan that was made again since is not the one that the person agreed to.
    rows = rows.filter(token=job.token)
    if only_fault is not None:
        rows = rows.filter(fault=only_fault).exclude(content="")
    if not rows.update(owner="", lease_until=None, **changes):
        raise NotPossible(f"Job {job.uid} is no longer {allowed}.")


def _record(
    job: ImportJob,
    user: User,
    address: str | None,
    action: str,
    state: str,
    note: str = "",
    **detail: Any,
) -> None:
    outcome.record_state(job, state, note, str(user))
    _audit(job, user, address, action, **detail)


def _audit(job: ImportJob, user: User, address: str | None, action: str, **detail: Any) -> None:
    audit.record(
        job.tenant_id,
        action,
        str(job.uid),
        user=user,
        address=address,
        file=job.file_name,
        **detail,
    )
