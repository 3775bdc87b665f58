"""An export in words: its source, its hours, its next night and the time until then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import formats, timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exports.models import Export, ExportRun
from portal.web import labels

_FEW = 3
# What each of `names.PARTS` is replaced with.
PARTS = {
    "event": gettext_lazy("the event type, or the export's name"),
    "id": gettext_lazy("ten digits that stay the same for this export"),
    "date": gettext_lazy("the day that is covered, as 2026-01-31 or {date:%Y%m%d}"),
    "time": gettext_lazy("when the run was created, as 2026-02-01T02-00-13 or {time:%H%M}"),
    "random": gettext_lazy("seven letters and digits that are unique to the run"),
    "run": gettext_lazy("the run's full identifier"),
}


def source(export_source: Mapping[str, Any]) -> str:
    """What is sent: event types, or records of a type."""
    if "records" in export_source:
        name = labels.record_type_label(str(export_source["records"]))
        if export_source.get("changed"):
            return _("Changed records: %(type)s") % {"type": name}
        return _("All records: %(type)s") % {"type": name}
    types = [str(name) for name in export_source.get("events") or ()]
    if not types:
        return _("Events of every type")
    shown, more = ", ".join(types[:_FEW]), len(types) - _FEW
    if more > 0:
        return _("Events: %(types)s and %(n)s more") % {"types": shown, "n": more}
    return _("Events: %(types)s") % {"types": shown}


def hours(export: Export) -> str:
    """When it runs, such as "Every night at 02:00 (America/Chicago)"."""
    at = f"{export.at:%H:%M} ({export.time_zone})"
    days = sorted({day for day in export.days if day in range(1, 8)})
    if len(days) in (0, 7):
        return _("Every night at %(at)s") % {"at": at}
    names = ", ".join(str(WEEKDAYS_ABBR[day - 1]) for day in days)
    return _("%(days)s at %(at)s") % {"days": names, "at": at}


def moment(at: datetime, zone: str, now: datetime) -> str:
    """An instant by the clock of a zone, near days by name: "tomorrow 02:00 EST"."""
    local = at.astimezone(ZoneInfo(zone))
    ahead = (local.date() - now.astimezone(ZoneInfo(zone)).date()).days
    if ahead in (0, 1):
        day = (_("today"), _("tomorrow"))[ahead]
    else:
        day = formats.date_format(local, _("D, M j"))
    return f"{day} {local:%H:%M} {local:%Z}"


def until(at: datetime, now: datetime) -> str:
    """The time until then, in the two largest units: "in 5 h 12 min"; "any moment now" when due."""
    seconds = math.ceil((at - now).total_seconds())
    if seconds <= 0:
        return _("any moment now")
    return _("in %(time)s") % {"time": _length(seconds)}


def _length(seconds: int) -> str:
    if seconds < 60:
        return _("%(n)s s") % {"n": seconds}
    if seconds < 3600:
        return _("%(m)s min %(s)s s") % {"m": seconds // 60, "s": seconds % 60}
    if seconds < 86_400:
        return _("%(h)s h %(m)s min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}
    return _("%(d)s d %(h)s h") % {"d": seconds // 86_400, "h": seconds % 86_400 // 3600}


@dataclass(frozen=True, slots=True)
class NextNight:
    """clock: "tomorrow 02:00 EST"; wait: "in 5 h 12 min"."""

    clock: str
    wait: str

    def __str__(self) -> str:
        return f"{self.clock}, {self.wait}"


def next_night(at: datetime | None, zone: str) -> NextNight | None:
    """The next nightly run in words; None without one."""
    if at is None:
        return None
    now = timezone.now()
    return NextNight(moment(at, zone, now), until(at, now))


def duration(started: datetime | None, ended: datetime | None) -> timedelta | None:
    """The time between the two; None where it has not ended."""
    return ended - started if started and ended else None


def outcome(run: ExportRun, state: str) -> str:
    """The outcome of the run in a sentence. state: of its night (`exports/nights.py`)."""
    sentences = {
        "sent": _("The file reached every destination."),
        "retrying": _("Something has not worked yet. It is retried automatically."),
        "running": _("The file is on its way."),
        "given_up": _(
            "A destination did not receive the file. See the reason below, then send it again."
        ),
        "empty": _("There was nothing to send for this day."),
        "failed": _("The file could not be written."),
        "cancelled": _("Somebody cancelled the delivery."),
        "written": _("The file was written. The export has no destination to send it to."),
    }
    if run.state == ExportRun.State.READY:
        return _("It starts in a moment.")
    if run.state == ExportRun.State.RUNNING:
        return _("The file is being written.")
    if run.state == ExportRun.State.ERRORED:
        return _("The file could not be written. It is retried automatically.")
    return sentences.get(state, "")
