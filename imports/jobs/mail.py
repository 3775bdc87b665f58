"""Notices about imports: which event, about what, in which words, with which link.

Each call makes at most one notice, in the transaction of its cause; `portal.notify` makes mails of
them and decides who gets them.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from imports.arrivals.decisions import shown
from imports.jobs.instructions import settings_of
from imports.models import Arrival, ArrivalFile, ImportJob, Sighting
from portal.models import Notice, User
from portal.notify import audience, outbox

Event = Notice.Event
State = ImportJob.State

_SUCCESS = (State.COMPLETE, State.INCOMPLETE)


def unmatched(arrival: Arrival, row: ArrivalFile) -> None:
    """A file that no template names: always a notice (seed 003)."""
    outbox.add(
        arrival.tenant_id,
        Event.UNMATCHED,
        f"unmatched:{arrival.uid}:{arrival.token}",
        f"{shown(row.name)}: no import template has this file name",
        row.reason,
        reverse("arrival", args=[arrival.uid]),
    )


def not_taken(arrival: Arrival, title: str, reason: str) -> None:
    """A delivery, or a part of it, that is not imported and leaves no job: once."""
    outbox.add(
        arrival.tenant_id,
        Event.NOT_TAKEN,
        f"not_taken:{arrival.uid}",
        title,
        reason,
        reverse("arrival", args=[arrival.uid]),
    )


def misplaced(file: Sighting) -> None:
    """A file in a folder that feeds nothing: once for each file."""
    outbox.add(
        file.tenant_id,
        Event.NOT_TAKEN,
        f"misplaced:{file.pk}",
        f"{shown(file.path)} is in a folder that feeds nothing",
        file.reason,
        f"{reverse('sightings')}?verdict=misplaced",
    )


def configuration_missing(arrival: Arrival) -> None:
    """A delivery that waits for the operator: one notice, however often it is tried."""
    outbox.add(
        arrival.tenant_id,
        Event.PORTAL_FAULT,
        f"configuration:{arrival.uid}",
        f"{shown(arrival.name)}: no import configuration",
        f"Folder {shown(arrival.drop.path)}.",
        reverse("arrival", args=[arrival.uid]),
    )


def state_changed(job: ImportJob) -> None:
    """A job that ended or is held. A dry run makes no notice: its person is looking at the page."""
    if job.state == State.HELD:
        _notify(job, Event.HELD, "is held: nothing is imported until somebody decides", job.reason)
    elif job.state == State.FAILED:
        _notify(job, Event.FAILED, "failed", job.reason)
        if job.fault == ImportJob.Fault.PORTAL:
            _notify(job, Event.PORTAL_FAULT, "failed because of a portal error", job.reason)
    elif job.state in _SUCCESS and job.asked_by == ImportJob.AskedBy.UNDO:
        _notify(job, Event.UNDONE, "was undone", _counts(job))
    elif job.state in _SUCCESS:
        _finished(job)


def decided(job: ImportJob, user: User, word: str) -> None:
    """A person decided about a held job. word: "released" or "discarded".

    That it is held was perhaps not mailed yet, and is not true any more.
    """
    outbox.withdraw(job.tenant_id, Event.HELD, f"{Event.HELD}:{job.uid}:")
    _notify(job, Event.DECIDED, f"was {word} by {user}", job.reason)


def _finished(job: ImportJob) -> None:
    """A notice to who saved the template, if it asks for one, and to who wants one of every job."""
    version = job.template_version
    asked_for = version is not None and bool(settings_of(version).get("mail"))
    if not asked_for and not audience.asked_for_completion(job.tenant_id):
        return
    word = "complete" if job.state == State.COMPLETE else "incomplete: some rows were rejected"
    user_id = version.user_id if asked_for and version is not None else None
    _notify(job, Event.FINISHED, f"is {word}", f"{job.reason} {_counts(job)}", user_id=user_id)


def _notify(job: ImportJob, event: Notice.Event, word: str, text: str, **more: Any) -> None:
    outbox.add(
        job.tenant_id,
        event,
        f"{event}:{job.uid}:{job.token}",
        f"{shown(job.file_name)} {word}",
        text,
        reverse("job", args=[job.uid]),
        **more,
    )


def _counts(job: ImportJob) -> str:
    names = ("read", "created", "updated", "unchanged", "removed", "rejected")
    return ", ".join(f"{getattr(job, f'rows_{name}'):,} {name}" for name in names) + "."
