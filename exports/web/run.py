"""One run: its file, and its delivery to each destination, attempt by attempt."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import FileResponse, Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from exports import nights, queries, retry
from exports.models import Attempt, Delivery, ExportRun
from exports.web import words
from portal import audit
from portal.models import Role
from portal.web import address, live
from portal.web.acting import or_404
from portal.web.downloads import stored_file
from portal.web.permissions import TenantRequest, require

_FAST, _SLOW = 2, 5  # seconds between two polls: while bytes move, and while it waits
_RESENDABLE = (*Delivery.FINAL_STATES, Delivery.State.RETRYING)
# An attempt's outcome: how it looks. What is not named here was cut off, or our own fault.
_TONES = {
    Attempt.Outcome.RUNNING.value: "sending",
    Attempt.Outcome.DELIVERED.value: "delivered",
    Attempt.Outcome.ALREADY_THERE.value: "delivered",
    Attempt.Outcome.FAILED.value: "retrying",
    Attempt.Outcome.REFUSED.value: "refused",
}


@require_GET
@require(Role.VIEWER)
def run_page(request: TenantRequest, uid: uuid.UUID) -> HttpResponse:
    """Everything about one run; live until every delivery has ended."""
    run = or_404(queries.run(request.tenant, uid))
    deliveries = queries.deliveries_of(run)
    state = nights.state_of(run)
    context = {
        "section": "exports",
        "run": run,
        "export": run.export,
        "state": state,
        "word": nights.WORDS[state],
        "outcome": words.outcome(run, state),
        "is_kept": is_kept(run),
        "deliveries": [_shown(run, delivery) for delivery in deliveries],
        "duration": words.duration(run.started_at, run.finished_at),
        "most_attempts": retry.MOST_ATTEMPTS,
        "every": _every(run, deliveries),
    }
    return live.page(request, "exports/run.html", "exports/_run.html", context)


def _every(run: ExportRun, deliveries: list[Delivery]) -> int:
    states = {run.state, *(delivery.state for delivery in deliveries)}
    if states & {str(ExportRun.State.RUNNING), str(Delivery.State.SENDING)}:
        return _FAST
    return _SLOW if queries.is_moving(run) else 0


def _shown(run: ExportRun, delivery: Delivery) -> dict[str, Any]:
    """A delivery with its attempts, and what may be done to it."""
    states = Delivery.State
    return {
        "delivery": delivery,
        "attempts": [
            {
                "attempt": attempt,
                "look": _TONES.get(attempt.outcome, "errored"),
                "duration": words.duration(attempt.started_at, attempt.ended_at),
            }
            for attempt in delivery.log.all()
        ],
        "can_resend": delivery.state in _RESENDABLE and is_kept(run),
        "can_cancel": delivery.state in (*Delivery.WAITING_STATES, states.SENDING),
        "is_open": delivery.incident_at is not None and delivery.acknowledged_at is None,
    }


def is_kept(run: ExportRun) -> bool:
    """Whether the run's file is still there to download and to send."""
    return bool(run.content) and (run.kept_until is None or run.kept_until > timezone.now())


@require_GET
@require(Role.MANAGER)
def run_file(request: TenantRequest, uid: uuid.UUID) -> FileResponse:
    """The frozen file as it is sent. Raises Http404 where it is no longer kept."""
    run = or_404(queries.run(request.tenant, uid))
    if not is_kept(run):
        raise Http404
    response = stored_file(run.content, run.file_name)
    audit.record(
        run.tenant_id, "export.download", str(run.uid),
        user=request.user, address=address.client(request) or None, file=run.file_name,
    )  # fmt: skip
    return response
