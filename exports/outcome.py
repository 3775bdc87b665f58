"""How a run ends or pauses: each change of state in one place.

A definition that cannot be carried out *fails* at once, with the reason for its authors; a fault of
ours is *errored*, tried again, and fails after MAX_ATTEMPTS (design.md section 3, rule 4). What a
failed night should have contained goes with the next one (docs/decisions/0014).
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


@dataclass(frozen=True, slots=True)
class FileContents:
    """What a file contains, for the run's row. previous: snapshot of the night before."""

    rows: int
    late_rows: int
    snapshot: str
    previous: str


def begun(run: ExportRun) -> None:
    """An attempt begins; the reason of an earlier one is cleared. Raises LeaseLost."""
    lifecycle.advance(
        run,
        to=State.RUNNING,
        allowed=[State.RUNNING],
        started_at=Now(),
        finished_at=None,
        reason="",
    )


def written(
    run: ExportRun, contents: FileContents, content: str, size: int, sha256: str, reason: str
) -> None:
    """The file is there and frozen. In the transaction that makes the deliveries."""
    kept_until = Now() + timedelta(days=int(run.definition["keep_days"]))
    _close(
        run,
        State.WRITTEN,
        **_contents_columns(contents),
        content=content,
        size=size,
        sha256=sha256,
        reason=reason,
        kept_until=kept_until,
    )


def empty(run: ExportRun, contents: FileContents, reason: str) -> None:
    """Nothing to send, and the export makes no empty files."""
    _close(run, State.EMPTY, **_contents_columns(contents), reason=reason, file_name="")


def refused(run: ExportRun, reason: str) -> None:
    """The definition cannot be carried out: people are notified of what is wrong with it."""
    with transaction.atomic():
        _close(run, State.FAILED, reason=reason)
        _notify(run, Notice.Event.EXPORT_FAILED)


def errored(run: ExportRun, error: Exception) -> None:
    """Our fault: try again later, at most MAX_ATTEMPTS times; then fail and notify."""
    log.exception("export_errored", run_id=run.pk, attempt=run.attempt, exc_info=error)
    if why := lifecycle.out_of_attempts(run, error):
        give_up(run, why)
        return
    lifecycle.try_again(run, error, to=State.ERRORED, allowed=[State.RUNNING])


def give_up(run: ExportRun, why: str = "") -> None:
    """Too many attempts: failed, by our fault. People and the operator are notified."""
    why = why or f"Writing stopped without an error message {settings.MAX_ATTEMPTS} times."
    then = "Its events are included in the next night's file."
    if run.kind != ExportRun.Kind.NIGHTLY:
        then = "Run it again."
    log.error("export_gave_up", run_id=run.pk, tenant_id=run.tenant_id, reason=why)
    with transaction.atomic():
        reason = f"{why} This is a portal error. The operator has been notified. {then}"
        _close(run, State.FAILED, reason=reason)
        _notify(run, Notice.Event.EXPORT_FAILED)
        _notify(run, Notice.Event.PORTAL_FAULT)


def _contents_columns(contents: FileContents) -> dict[str, Any]:
    return {
        "rows": contents.rows,
        "late_rows": contents.late_rows,
        "snapshot": contents.snapshot,
        "previous": contents.previous,
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


def _notify(run: ExportRun, event: Notice.Event) -> None:
    outbox.add(
        run.tenant_id,
        event,
        f"{event}:{run.uid}",
        f"{run.definition['name']}: the file for {run.local_date} could not be created",
        run.reason,
        reverse("run", args=[run.uid]),
    )
