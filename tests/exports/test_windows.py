"""Windows tile time and nights fire once, through every change of the clocks (A14, A15)."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports import windows
from portal.faults import Refused
from tests.sizes import examples

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "America/Phoenix",
    "UTC",
    "Pacific/Auckland",
)
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(730)]
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("zone", ZONES)
def test_the_days_of_two_years_tile_time(zone: str) -> None:
    spans = [windows.day(local_date, zone) for local_date in DAYS]
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(spans))
    lengths = {end - start for start, end in spans}
    changes = {
        "America/New_York": {23 * HOUR, 24 * HOUR, 25 * HOUR},
        "Europe/Berlin": {23 * HOUR, 24 * HOUR, 25 * HOUR},
        "Pacific/Auckland": {23 * HOUR, 24 * HOUR, 25 * HOUR},
        "Australia/Lord_Howe": {23.5 * HOUR, 24 * HOUR, 24.5 * HOUR},
    }
    assert lengths == changes.get(zone, {24 * HOUR})


@pytest.mark.parametrize("zone", ZONES)
def test_each_night_fires_at_the_first_instant_of_two_or_later(zone: str) -> None:
    """Against the clock itself: no earlier instant of that day shows two o'clock or later."""
    place = ZoneInfo(zone)
    for local_date in DAYS:
        fires = windows.fires_at(local_date, time(2), zone)
        shown = fires.astimezone(place)
        assert (shown.date(), shown.hour >= 2) == (local_date + timedelta(days=1), True)
        just_before = (fires - timedelta(seconds=1)).astimezone(place)
        assert just_before.date() < shown.date() or just_before.hour < 2
        midnight = windows.day(local_date, zone)[1]
        earlier = [midnight + n * timedelta(minutes=15) for n in range(16)]
        assert all(t >= fires or t.astimezone(place).hour < 2 for t in earlier)


def test_lord_howe_puts_its_clocks_forward_by_half_an_hour_at_two() -> None:
    assert windows.fires_at(date(2026, 10, 3), time(2), "Australia/Lord_Howe") == datetime(
        2026, 10, 3, 15, 30, tzinfo=UTC
    )
    start, end = windows.day(date(2026, 10, 4), "Australia/Lord_Howe")
    assert end - start == 23.5 * HOUR


@pytest.mark.parametrize(
    "covered, at, zone, fires",
    [
        (date(2026, 3, 7), time(2, 30), "America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        (date(2026, 10, 31), time(1), "America/New_York", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (date(2026, 9, 5), time(0), "America/Santiago", datetime(2026, 9, 6, 4, tzinfo=UTC)),
    ],
)
def test_a_missing_time_fires_after_it_and_a_repeated_one_first(
    covered: date, at: time, zone: str, fires: datetime
) -> None:
    assert windows.fires_at(covered, at, zone) == fires


def test_a_day_that_the_calendar_leaves_out_is_empty() -> None:
    start, end = windows.day(date(2011, 12, 30), "Pacific/Apia")
    assert start == end == windows.day(date(2011, 12, 31), "Pacific/Apia")[0]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.sampled_from(sorted(available_timezones())),
    st.dates(date(1975, 1, 1), date(2037, 12, 31)),
    st.times().map(lambda t: t.replace(microsecond=0)),
)
def test_any_day_of_any_zone_meets_the_next_and_fires_after_its_end(
    zone: str, local_date: date, at: time
) -> None:
    start, end = windows.day(local_date, zone)
    assert start <= end == windows.day(local_date + windows.DAY, zone)[0]
    assert end <= windows.fires_at(local_date, at, zone) <= end + 49 * HOUR


@pytest.mark.parametrize("zone", ZONES)
def test_a_scheduler_that_looks_every_minute_makes_each_night_once(zone: str) -> None:
    """From a week before to a week after the clock changes of a year, as the sweep does it."""
    last, fired = None, {}
    now = datetime(2026, 3, 1, tzinfo=UTC)
    while now < datetime(2026, 4, 12, tzinfo=UTC):
        for local_date in windows.due(date(2026, 3, 1), (), time(2), zone, now, last):
            assert local_date not in fired
            fired[local_date], last = now, local_date
        now += timedelta(minutes=1)
    assert list(fired) == [date(2026, 3, 1) + timedelta(days=n) for n in range(len(fired))]
    late = [
        moment - windows.fires_at(local_date, time(2), zone) for local_date, moment in fired.items()
    ]
    assert len(late) >= 40 and max(late) <= timedelta(seconds=120) and min(late) >= timedelta(0)


def test_missed_nights_are_due_once_each_when_the_scheduler_is_back() -> None:
    def due(now: datetime, last: date | None) -> list[date]:
        return windows.due(date(2026, 5, 1), (), time(2), "America/New_York", now, last)

    before, back = datetime(2026, 5, 4, 5, tzinfo=UTC), datetime(2026, 5, 4, 8, tzinfo=UTC)
    assert due(before, date(2026, 5, 2)) == []
    assert due(back, date(2026, 5, 2)) == [date(2026, 5, 3)]
    assert due(back, date(2026, 5, 3)) == []
    assert due(back - HOUR, date(2026, 5, 3)) == [], "the clock set back"
    assert due(back + timedelta(days=1), date(2026, 5, 3)) == [date(2026, 5, 4)], "and forward"
    assert due(back, None) == [date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 3)]


def test_of_many_missed_nights_the_newest_run_and_the_first_of_them_covers_the_others() -> None:
    now = datetime(2026, 12, 31, 12, tzinfo=UTC)
    dates = windows.due(date(2026, 1, 1), (), time(2), "UTC", now, date(2026, 1, 31))
    assert len(dates) == windows.MOST_MISSED and dates[-1] == date(2026, 12, 30)
    ended = windows.day(date(2026, 1, 31), "UTC")[1]
    start, _ = windows.window(dates[0], "UTC", date(2026, 1, 1), ended)
    assert start == ended


def test_a_day_without_a_night_is_covered_by_the_next() -> None:
    """Monday to Friday: Monday's run covers Friday's file's end to Sunday."""
    now = datetime(2026, 5, 12, tzinfo=UTC)
    weekdays = (1, 2, 3, 4, 5)
    dates = windows.due(date(2026, 5, 1), weekdays, time(2), "UTC", now, None)
    fires = [(local_date + windows.DAY).isoweekday() for local_date in dates]
    assert set(fires) == set(weekdays)
    ended = None
    for local_date in dates:
        start, end = windows.window(local_date, "UTC", date(2026, 5, 1), ended)
        assert start == (ended or windows.day(date(2026, 5, 1), "UTC")[0]) and end > start
        ended = end
    assert ended == windows.day(dates[-1], "UTC")[1]


def test_a_window_after_a_changed_zone_never_runs_backwards() -> None:
    ended = windows.day(date(2026, 5, 1), "Etc/GMT+12")[1]
    start, end = windows.window(date(2026, 5, 2), "Pacific/Kiritimati", date(2026, 1, 1), ended)
    assert start == ended <= end


def test_the_next_date_is_the_first_that_is_not_due() -> None:
    now = datetime(2026, 5, 4, 8, tzinfo=UTC)
    started = date(2026, 5, 1)
    assert windows.next_date(started, (), time(2), "America/New_York", now, None) == date(
        2026, 5, 4
    )
    assert windows.next_date(started, (1,), time(2), "UTC", now, None) == date(2026, 5, 10)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "america/new_york "])
def test_an_unknown_zone_is_named(name: str) -> None:
    with pytest.raises(Refused, match="no time zone"):
        windows.zone_of(name)
