"""When an export runs and which instants a night covers, through every clock change.

Design.md section 8: at a time of day in the export's zone, for the previous local calendar day (23,
24 or 25 hours); a missing time fires at the first valid instant after it, a repeated one once.
An unknown zone is refused with the path `time_zone`. Pure: instants are aware and in UTC; "now" is
handed in.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal import zones
from portal.faults import Fault, Refused

DAY = timedelta(days=1)
# More missed nights than that are covered by one file: the oldest of those that still run.
MOST_MISSED = 31
_SECOND = timedelta(seconds=1)


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises Refused."""
    if name not in zones.names():
        message = "There is no time zone “%(name)s”. Choose a name such as America/New_York."
        raise Refused(Fault(("time_zone",), "unknown_zone", message, {"name": name[:64]}))
    return ZoneInfo(name)


def day(local_date: date, zone: str) -> tuple[datetime, datetime]:
    """The calendar day's first instant and that of the next day. Raises Refused."""
    return _instant(local_date, time(), zone), _instant(local_date + DAY, time(), zone)


def fires_at(local_date: date, at: time, zone: str) -> datetime:
    """The instant at which the night that covers the date runs: on the day after, at `at`.

    Never before the covered day is over. Raises Refused.
    """
    return max(_instant(local_date + DAY, at, zone), day(local_date, zone)[1])


def due(
    started_on: date,
    days: Collection[int],
    at: time,
    zone: str,
    now: datetime,
    last: date | None,
) -> list[date]:
    """The local dates whose night has come and that have no run yet, oldest first.

    days: ISO weekdays on which it fires, empty for every day; a day on which it does not fire is
    covered by the next one's window. last: the newest date that has a run. Of more than
    MOST_MISSED dates the newest remain; the first of them covers those before (`window`).
    Raises Refused.
    """
    first = started_on if last is None else max(started_on, last + DAY)
    newest = now.astimezone(zone_of(zone)).date()
    fired = [
        local_date
        for local_date in _dates(first, newest)
        if runs_on(local_date, days) and fires_at(local_date, at, zone) <= now
    ]
    return fired[-MOST_MISSED:]


def runs_on(local_date: date, days: Collection[int]) -> bool:
    """Whether there is a night of its own for the date: it fires on the weekday after."""
    return not days or (local_date + DAY).isoweekday() in days


def next_date(
    started_on: date, days: Collection[int], at: time, zone: str, now: datetime, last: date | None
) -> date:
    """The date that is covered by the next run that is still to come. Raises Refused."""
    first = started_on if last is None else max(started_on, last + DAY)
    local_date = max(first, now.astimezone(zone_of(zone)).date() - 2 * DAY)
    while not runs_on(local_date, days) or fires_at(local_date, at, zone) <= now:
        local_date += DAY
    return local_date


def window(
    local_date: date, zone: str, started_on: date, ended: datetime | None
) -> tuple[datetime, datetime]:
    """What the night of a date covers: from where the last run ended (`ended`) to the date's end.

    The first run after a start begins with the day of the start. An end before the beginning, which
    only a change of the zone can bring, gives an empty window. Raises Refused.
    """
    begin = day(started_on, zone)[0]
    start = begin if ended is None else max(begin, ended)
    return start, max(start, day(local_date, zone)[1])


def _dates(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range(max(0, (last - first).days + 1))]


def _instant(local_date: date, at: time, zone: str) -> datetime:
    """The first instant at which the zone's clocks show that time, or a later one on it."""
    wall = datetime.combine(local_date, at.replace(tzinfo=None, fold=0))
    place = zone_of(zone)
    first = wall.replace(tzinfo=place).astimezone(UTC)
    if first.astimezone(place).replace(tzinfo=None) == wall:
        return first
    return _change(wall.replace(tzinfo=place, fold=1).astimezone(UTC), first, place)


def _change(before: datetime, after: datetime, place: ZoneInfo) -> datetime:
    """The instant between the two, to the second, at which the clocks were put forward."""
    old = before.astimezone(place).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(place).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
