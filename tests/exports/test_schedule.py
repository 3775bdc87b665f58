"""Runs are made once for an export and night, however many schedulers look, and caught up once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.db.utils import IntegrityError

from exports import pipeline, queue, schedule, windows
from exports.models import Export, ExportRun
from portal import tenancy
from portal.faults import Refused
from portal.models import Tenant
from tests.exports.house import MONDAY, House, after, ids, noon
from tests.sizes import scaled

TUESDAY = MONDAY + timedelta(days=1)
TENANTS, WORKERS = scaled(100, 1_000), 4


def dates(export: Export) -> list[date]:
    return list(
        ExportRun.objects.filter(export=export).order_by("pk").values_list("local_date", flat=True)
    )


def fires(local_date: date) -> datetime:
    return windows.fires_at(local_date, time(2), "America/New_York")


def test_a_night_has_its_run_from_its_instant_on(house: House) -> None:
    export = house.export()
    just_before = fires(MONDAY) - timedelta(seconds=1)
    assert schedule.make_due(house.tenant.pk, just_before) == 0
    assert house.tenant.pk not in schedule.tenants_due(just_before)
    assert house.tenant.pk in schedule.tenants_due(fires(MONDAY))
    assert schedule.make_due(house.tenant.pk, fires(MONDAY)) == 1
    assert schedule.make_due(house.tenant.pk, fires(MONDAY)) == 0
    assert house.tenant.pk not in schedule.tenants_due(fires(MONDAY))
    (run,) = ExportRun.objects.filter(export=export)
    assert (run.window_start, run.window_end) == windows.day(MONDAY, "America/New_York")
    assert (run.kind, run.state) == ("nightly", "ready")


def test_missed_nights_are_caught_up_once_and_tile_time(house: House) -> None:
    """A15: away over three nights and the change to summer time; the clock then goes back."""
    export = house.export(started_on=date(2026, 3, 6))
    schedule.make_due(house.tenant.pk, fires(date(2026, 3, 6)))
    back = fires(date(2026, 3, 9)) + timedelta(hours=2)
    assert schedule.make_due(house.tenant.pk, back) == 3
    assert schedule.make_due(house.tenant.pk, back - timedelta(hours=1)) == 0
    assert schedule.make_due(house.tenant.pk, back + timedelta(days=1)) == 1
    assert schedule.make_due(house.tenant.pk, back) == 0
    runs = list(ExportRun.objects.filter(export=export).order_by("pk"))
    assert [run.local_date.day for run in runs] == [6, 7, 8, 9, 10]
    ends = [run.window_end for run in runs]
    assert [run.window_start for run in runs[1:]] == ends[:-1]
    assert runs[2].window_end - runs[2].window_start == timedelta(hours=23)


def test_an_event_of_a_day_that_ran_early_by_a_wrong_clock_is_not_lost(house: House) -> None:
    export = house.export()
    early = house.night(export, TUESDAY)  # a clock a day ahead makes both nights
    house.event(noon(TUESDAY), "happened after its night ran")
    assert dates(export) == [MONDAY, TUESDAY]
    late = house.night(export, TUESDAY + timedelta(days=1))
    assert (early.rows, ids(late)) == (0, ["happened after its night ran"])


def test_a_changed_time_of_day_makes_no_second_run(house: House) -> None:
    export = house.export()
    schedule.make_due(house.tenant.pk, fires(MONDAY))
    Export.objects.filter(pk=export.pk).update(at=time(5), time_zone="Asia/Kolkata")
    schedule.make_due(house.tenant.pk, fires(TUESDAY) + timedelta(hours=4))
    runs = list(ExportRun.objects.filter(export=export).order_by("pk"))
    assert [run.local_date for run in runs] == [MONDAY, TUESDAY]
    assert runs[1].window_start == runs[0].window_end
    assert runs[1].window_end == windows.day(TUESDAY, "Asia/Kolkata")[1]


def test_weekdays_are_those_on_which_it_fires(house: House) -> None:
    export = house.export(days=[1], started_on=MONDAY)
    schedule.make_due(house.tenant.pk, noon(MONDAY + timedelta(days=20)))
    runs = list(ExportRun.objects.filter(export=export).order_by("pk"))
    assert [run.local_date.isoweekday() for run in runs] == [7, 7]
    assert runs[0].window_start == windows.day(MONDAY, "America/New_York")[0]
    assert runs[1].window_start == runs[0].window_end


def test_stopped_exports_and_disabled_tenants_have_no_runs(house: House) -> None:
    house.export(started_on=None)
    assert schedule.make_due(house.tenant.pk, after(MONDAY)) == 0
    house.export()
    assert house.tenant.pk in schedule.tenants_due(after(MONDAY))
    with tenancy.everyone("a test disables the tenant"):
        Tenant.objects.filter(pk=house.tenant.pk).update(enabled=False)
        assert house.tenant.pk not in schedule.tenants_due(after(MONDAY))


def test_a_zone_that_is_no_more_stops_that_export_only(house: House) -> None:
    house.export(time_zone="Mars/Olympus")
    sound = house.export()
    assert schedule.make_due(house.tenant.pk, after(MONDAY)) == 1
    assert dates(sound) == [MONDAY]


def test_the_definition_is_frozen_into_the_run(house: House) -> None:
    export = house.export(format="csv", source={"events": ["x"]}, keep_days=7)
    schedule.make_due(house.tenant.pk, after(MONDAY))
    Export.objects.filter(pk=export.pk).update(format="json", source={}, name="Renamed")
    run = ExportRun.objects.get(export=export)
    assert (run.definition["format"], run.definition["source"]) == ("csv", {"events": ["x"]})
    assert (run.definition["name"], run.definition["keep_days"]) == (export.name, 7)


def test_run_now_covers_the_newest_day_and_a_past_date_is_a_back_fill(house: House) -> None:
    export = house.export()
    today = datetime.now(UTC).astimezone(windows.zone_of(export.time_zone)).date()
    newest = schedule.run_now(export, None, today - timedelta(days=1))
    past = schedule.run_now(export, None, MONDAY)
    assert (newest.kind, past.kind) == ("rerun", "backfill")
    assert (past.window_start, past.window_end) == windows.day(MONDAY, export.time_zone)
    with pytest.raises(Refused, match="is not over in America/New_York"):
        schedule.run_now(export, None, today)


def test_the_database_refuses_a_second_nightly_run(house: House) -> None:
    export = house.export()
    schedule.make_due(house.tenant.pk, after(MONDAY))
    run = ExportRun.objects.get(export=export)
    run.pk, run.uid = None, None
    with pytest.raises(IntegrityError):
        ExportRun.objects.bulk_create([run])


def test_many_tenants_due_at_once_have_one_file_each(house: House) -> None:
    """A8: four schedulers make the runs and four workers take them, all at the same moment."""
    with tenancy.everyone("the test makes tenants"):
        tenants = Tenant.objects.bulk_create(
            Tenant(name=f"T{n}", slug=f"due-{n}") for n in range(TENANTS)
        )
        Export.objects.bulk_create(_export(tenant) for tenant in tenants)
        numbers = sorted(tenant.pk for tenant in tenants)
        assert set(numbers) <= schedule.tenants_due(after(MONDAY))
        counts = _at_once(lambda _: _make(numbers))
        assert sum(counts) == TENANTS
        taken = Counter(pk for share in _at_once(lambda _: _take(numbers)) for pk in share)
        assert len(taken) == TENANTS and set(taken.values()) == {1}
        states = ExportRun.objects.filter(tenant__in=numbers).values_list("state", "attempt")
        assert Counter(states) == {("empty", 1): TENANTS}


def _export(tenant: Tenant) -> Export:
    return Export(
        tenant=tenant, name="Nightly", source={}, format="jsonl", name_pattern="{event}_{date}",
        at=time(2), time_zone="America/New_York", started_on=MONDAY,
    )  # fmt: skip


def _at_once(call):  # type: ignore[no-untyped-def]
    start = Barrier(WORKERS)

    def run(number: int):  # type: ignore[no-untyped-def]
        try:
            start.wait()
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


def _make(tenants: list[int]) -> int:
    count = 0
    for number in tenants:
        with tenancy.scope(number):
            count += schedule.make_due(number, after(MONDAY))
    return count


def _take(tenants: list[int]) -> list[int]:
    numbers = []
    for number in tenants:
        with tenancy.scope(number):
            run = queue.claim(number)
            if run is not None:
                numbers.append(run.pk)
                pipeline.run(run)
    return numbers
