"""How a run ends or pauses: each change of state in one place.

A definition that cannot be carried out *fails* at once, with words for those who made it; a fault
of ours is *errored*, tried again, and fails after so many attempts (design.md section 3, rule 4).
What a failed night should have held goes with the next one (docs/decisions/0014).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.urls import reverse

from exports.models import ExportRun
from portal import lifecycle, logs
from portal.models import Notice
from portal.notify import outbox

log = logs.get(__name__)
State = ExportRun.State
_RETRY_SECONDS = (5, 30, 120)


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds, as the run's row tells it. previous: snapshot of the night before."""

    rows: int
    late_rows: int
    snapshot: str
    previous: str


def begun(run: ExportRun) -> None:
    """An attempt begins; an earlier one's words go. Raises LeaseLost."""
    lifecycle.advance(
        run,
        to=State.RUNNING,
        allowed=[State.RUNNING],
        started_at=Now(),
        finished_at=None,
        reason="",
    )


def written(run: ExportRun, held: Held, content: str, size: int, sha256: str, reason: str) -> None:
    """The file is there and frozen. In the transaction that makes the deliveries."""
    kept_until = Now() + timedelta(days=int(run.definition["keep_days"]))
    _close(
        run,
        State.WRITTEN,
        **_told(held),
        content=content,
        size=size,
        sha256=sha256,
        reason=reason,
        kept_until=kept_until,
    )


def empty(run: ExportRun, held: Held, reason: str) -> None:
    """Nothing to send, and the export wants no empty file."""
    _close(run, State.EMPTY, **_told(held), reason=reason, file_name="")


def refused(run: ExportRun, reason: str) -> None:
    """The definition cannot be carried out: its makers are told what is wrong with it."""
    with transaction.atomic():
        _close(run, State.FAILED, reason=reason)
        _tell(run, Notice.Event.EXPORT_FAILED)


def errored(run: ExportRun, error: Exception) -> None:
    """Our fault: try again later, at most MAX_ATTEMPTS times; then fail and tell."""
    log.exception("export_errored", run_id=run.pk, attempt=run.attempt, exc_info=error)
    if run.attempt >= settings.MAX_ATTEMPTS:
        gave_up(run, f"It failed {run.attempt} times. The last error: {type(error).__name__}.")
        return
    wait = _RETRY_SECONDS[min(run.attempt, len(_RETRY_SECONDS)) - 1]
    lifecycle.advance(
        run,
        to=State.ERRORED,
        allowed=[State.RUNNING],
        ready_at=Now() + timedelta(seconds=wait),
        reason=f"{type(error).__name__}. The portal retries in {wait} seconds.",
        **lifecycle.released(),
    )


def gave_up(run: ExportRun, why: str = "") -> None:
    """Too many attempts: failed, by our fault. People and the operator are told."""
    why = why or f"Writing stopped without an error message {settings.MAX_ATTEMPTS} times."
    then = "Its events are included in the next night's file."
    if run.kind != ExportRun.Kind.NIGHTLY:
        then = "Run it again."
    log.error("export_gave_up", run_id=run.pk, tenant_id=run.tenant_id, reason=why)
    with transaction.atomic():
        reason = f"{why} This is a portal error. The operator has been notified. {then}"
        _close(run, State.FAILED, reason=reason)
        _tell(run, Notice.Event.EXPORT_FAILED)
        _tell(run, Notice.Event.PORTAL_FAULT)


def _told(held: Held) -> dict[str, Any]:
    return {
        "rows": held.rows,
        "late_rows": held.late_rows,
        "snapshot": held.snapshot,
        "previous": held.previous,
    }


def _close(run: ExportRun, state: str, **changes: Any) -> None:
    lifecycle.advance(
        run,
        to=state,
        allowed=[State.RUNNING],
        finished_at=Now(),
        **changes,
        **lifecycle.released(),
    )


def _tell(run: ExportRun, event: Notice.Event) -> None:
    outbox.add(
        run.tenant_id,
        event,
        f"{event}:{run.uid}",
        f"{run.definition['name']}: the file for {run.local_date} could not be created",
        run.reason,
        reverse("run", args=[run.uid]),
    )
