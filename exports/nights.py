"""The last nights of an export, one state a date: that of the file that covers the date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.utils.translation import gettext_lazy as _

from exports import windows
from exports.models import Delivery, Export, ExportRun

STRIP = 60
_Run, _Delivery = ExportRun.State, Delivery.State

# State of a night: its word. The gravest come first.
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
    _Delivery.GIVEN_UP: "given_up",
    _Delivery.REFUSED: "given_up",
    _Delivery.RETRYING: "retrying",
    _Delivery.READY: "running",
    _Delivery.SENDING: "running",
    _Delivery.CANCELLED: "cancelled",
    _Delivery.DELIVERED: "sent",
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
    """A local date and the state of its file. run: the newest of the date; None without a run."""

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
    states = {_OF_DELIVERY[_Delivery(delivery.state)] for delivery in run.deliveries.all()}
    return next((state for state in WORDS if state in states), "written")


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
    """(state, its word, how many nights), the gravest first, without states of no night."""
    counts = Counter(night.state for night in nights)
    return [(state, str(word), counts[state]) for state, word in WORDS.items() if counts[state]]


def next_fire(export: Export, now: datetime) -> datetime | None:
    """The instant of the next nightly run; None while it is stopped."""
    if export.started_on is None:
        return None
    where = export.at, export.time_zone
    night = windows.next_date(export.started_on, export.days, *where, now, None)
    return windows.fires_at(night, *where)
