"""The last nights of an export, one state a date: what became of the file that covers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.utils.translation import gettext_lazy as _

from exports import windows
from exports.models import Delivery, Export, ExportRun

STRIP = 60
_Run, _Sent = ExportRun.State, Delivery.State

# State of a night: its word. The order is that of what matters most to who looks.
WORDS = {
    "given_up": _("Given up"),
    "failed": _("Failed"),
    "retrying": _("Will be retried"),
    "running": _("In progress"),
    "cancelled": _("Cancelled"),
    "sent": _("Sent"),
    "written": _("Written, no destination"),
    "empty": _("Nothing to send"),
    "not_due": _("Not due"),
}
_OF_DELIVERY = {
    _Sent.GIVEN_UP: "given_up",
    _Sent.REFUSED: "given_up",
    _Sent.RETRYING: "retrying",
    _Sent.READY: "running",
    _Sent.SENDING: "running",
    _Sent.CANCELLED: "cancelled",
    _Sent.DELIVERED: "sent",
}
_OF_RUN = {
    _Run.READY: "running",
    _Run.RUNNING: "running",
    _Run.ERRORED: "retrying",
    _Run.EMPTY: "empty",
    _Run.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Night:
    """A local date and what became of its file. run: the newest one of the date; None: no run."""

    day: date
    state: str
    run: ExportRun | None = None

    @property
    def word(self) -> str:
        return str(WORDS[self.state])


def state_of(run: ExportRun) -> str:
    """A run's state with that of its deliveries: the gravest of them, where it was written."""
    if run.state in _OF_RUN:
        return _OF_RUN[_Run(run.state)]
    found = {_OF_DELIVERY[_Sent(one.state)] for one in run.deliveries.all()}
    return next((state for state in WORDS if state in found), "written")


def strips(
    exports: Sequence[Export], now: datetime, nights: int = STRIP
) -> Mapping[int, list[Night]]:
    """The last nights of each export by its number, oldest first, ending with yesterday's."""
    if not exports:
        return {}
    ends = {export.pk: _yesterday(export, now) for export in exports}
    oldest = min(ends.values()) - timedelta(days=nights)
    runs = (
        ExportRun.objects.filter(
            tenant=exports[0].tenant_id, export__in=list(ends), local_date__gt=oldest
        )
        .only("uid", "export", "local_date", "state", "rows", "kind")
        .prefetch_related(Prefetch("deliveries", Delivery.objects.only("run", "state")))
        .order_by("pk")
    )
    newest = {(run.export_id, run.local_date): run for run in runs}
    return {
        pk: [_night(newest, pk, end - timedelta(days=n)) for n in range(nights - 1, -1, -1)]
        for pk, end in ends.items()
    }


def _night(newest: Mapping[tuple[int, date], ExportRun], pk: int, day: date) -> Night:
    run = newest.get((pk, day))
    return Night(day, state_of(run) if run else "not_due", run)


def _yesterday(export: Export, now: datetime) -> date:
    return now.astimezone(ZoneInfo(export.time_zone)).date() - timedelta(days=1)


def tally(nights: Iterable[Night]) -> list[tuple[str, str, int]]:
    """(state, its word, how many nights), the gravest first, without those that are none."""
    states = [night.state for night in nights]
    counted = ((state, str(word), states.count(state)) for state, word in WORDS.items())
    return [one for one in counted if one[2]]


def next_fire(export: Export, now: datetime) -> datetime | None:
    """The instant of the next nightly run; None while it is stopped."""
    if export.started_on is None:
        return None
    where = export.at, export.time_zone
    night = windows.next_date(export.started_on, export.days, *where, now, None)
    return windows.fires_at(night, *where)
