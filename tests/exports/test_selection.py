"""No event is lost or sent twice, whenever it comes and whenever it commits."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection

from exports import pipeline, queue, schedule, selection
from exports.models import Export, ExportRun
from exports.shapes import objects
from portal import tenancy
from portal.models import Event, Tenant
from tests.exports.house import MONDAY, ZONE, House, after, ids, noon, rows
from tests.imports.institution import Institution

TUESDAY, WEDNESDAY, THURSDAY = (MONDAY + timedelta(days=n) for n in (1, 2, 3))
EMPTY = ExportRun.State.EMPTY


def test_a_night_holds_the_events_of_its_local_day(house: House) -> None:
    """New York: five hours behind."""
    for uid, at in {
        "before": datetime(2026, 3, 2, 4, 59, 59, 999000, tzinfo=UTC),
        "first": datetime(2026, 3, 2, 5, tzinfo=UTC),
        "last": datetime(2026, 3, 3, 4, 59, 59, 999999, tzinfo=UTC),
        "after": datetime(2026, 3, 3, 5, tzinfo=UTC),
    }.items():
        house.event(at, uid)
    export = house.export()
    assert ids(house.night(export, MONDAY)) == ["first", "last"]
    assert ids(house.night(export, TUESDAY)) == ["after"]


def test_an_event_that_comes_late_goes_with_the_next_file_once(house: House) -> None:
    export = house.export()
    house.event(noon(MONDAY), "in time")
    first = house.night(export, MONDAY)
    house.event(noon(MONDAY, 1), "late")
    house.event(noon(TUESDAY), "tuesday")
    second = house.night(export, TUESDAY)
    house.event(noon(MONDAY, 2), "later still")
    third = house.night(export, WEDNESDAY)
    assert ids(first) == ["in time"]
    assert ids(second) == ["late", "tuesday"]
    assert ids(third) == ["later still"]
    assert [(run.rows, run.late_rows) for run in (first, second, third)] == [(1, 0), (2, 1), (1, 1)]
    assert second.previous == first.snapshot != second.snapshot


def test_an_event_that_commits_after_the_file_goes_with_the_next(house: House) -> None:
    """It happened, and was inserted, long before the run; its transaction ended after."""
    export = house.export()
    with house.elsewhere() as slow:
        house.insert(slow, noon(MONDAY), "slow")
        house.event(noon(MONDAY, 1), "quick")
        first = house.night(export, MONDAY)
        slow.commit()
    second = house.night(export, TUESDAY)
    assert (ids(first), ids(second)) == (["quick"], ["slow"])
    assert house.night(export, WEDNESDAY).state == EMPTY


def test_an_event_that_commits_while_the_file_is_written_is_in_one_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's snapshot stands when its transaction begins: what commits after is not in it."""
    export = house.export()
    house.event(noon(MONDAY), "before")
    begin = pipeline._begin_snapshot
    with house.elsewhere() as slow:
        house.insert(slow, noon(MONDAY, 1), "meanwhile")

        def begun() -> str:
            snapshot = begin()
            slow.commit()
            return snapshot

        monkeypatch.setattr(pipeline, "_begin_snapshot", begun)
        first = house.night(export, MONDAY)
        monkeypatch.undo()
    assert (ids(first), ids(house.night(export, TUESDAY))) == (["before"], ["meanwhile"])


def test_what_is_rolled_back_is_in_no_file(house: House) -> None:
    export = house.export()
    with house.elsewhere() as other:
        house.insert(other, noon(MONDAY), "undone")
        assert house.night(export, MONDAY).state == EMPTY
        other.rollback()
    assert house.night(export, TUESDAY).state == EMPTY


@pytest.mark.parametrize("seed", range(6))
def test_whatever_commits_when_every_event_is_in_exactly_one_file(house: House, seed: int) -> None:
    """Events of any day, in transactions that stay open over any number of nights."""
    dice = random.Random(seed)
    export = house.export(source={"events": [["courseCompletion"], []][seed % 2]})
    first = noon(MONDAY) - timedelta(hours=7)
    expected: set[str] = set()
    runs: list[ExportRun] = []
    open_ones: list[tuple[Any, Any, int]] = []
    for night in range(8):
        today = MONDAY + timedelta(days=night)
        for number in range(6):
            until = dice.choice([0, 0, 1, 2, 3])
            at = first + timedelta(hours=dice.uniform(0, 24 * (night + 1)))
            uid = f"{night}.{number}"
            expected.add(uid)
            if until:
                context = house.elsewhere()
                other = context.__enter__()
                house.insert(other, at, uid)
                open_ones.append((context, other, night + until))
            else:
                house.event(at, uid)
        runs.append(house.night(export, today))
        for entry in [entry for entry in open_ones if entry[2] <= night]:
            entry[1].commit()
            entry[0].__exit__(None, None, None)
            open_ones.remove(entry)
    for context, other, _ in open_ones:
        other.commit()
        context.__exit__(None, None, None)
    runs.append(house.night(export, MONDAY + timedelta(days=8)))
    sent = ids(*runs)
    assert len(sent) == len(set(sent)) and set(sent) == expected
    assert sum(run.late_rows for run in runs) > 0


def test_the_events_of_a_failed_night_go_with_the_next(house: House) -> None:
    export = house.export()
    house.event(noon(MONDAY), "monday")
    first = house.night(export, MONDAY)
    house.event(noon(TUESDAY), "tuesday")
    house.event(noon(MONDAY, 1), "late")
    house.event(noon(WEDNESDAY), "wednesday")
    Export.objects.filter(pk=export.pk).update(name_pattern="../{date}")
    failed = house.night(export, TUESDAY)
    Export.objects.filter(pk=export.pk).update(name_pattern="{date}")
    third = house.night(export, WEDNESDAY)
    assert (failed.state, third.window_start) == (ExportRun.State.FAILED, failed.window_end)
    assert third.previous == first.snapshot
    assert ids(third) == ["late", "tuesday", "wednesday"]
    assert (third.rows, third.late_rows) == (3, 2)


def test_a_night_waits_for_the_one_before(house: House) -> None:
    export = house.export()
    schedule.make_due(house.tenant.pk, after(TUESDAY))
    held = queue.claim(house.tenant.pk)
    assert held is not None and held.local_date == MONDAY
    assert queue.claim(house.tenant.pk) is None
    ExportRun.objects.filter(pk=held.pk).update(state=EMPTY)
    following = queue.claim(house.tenant.pk)
    assert following is not None and (following.export_id, following.local_date) == (
        export.pk,
        TUESDAY,
    )


def test_what_happened_before_the_start_is_not_sent_however_late_it_comes(house: House) -> None:
    export = house.export(started_on=TUESDAY)
    house.event(noon(MONDAY), "old")
    first = house.night(export, TUESDAY)
    house.event(noon(MONDAY, 1), "old and late")
    assert (first.state, house.night(export, WEDNESDAY).state) == (EMPTY, EMPTY)


def test_an_export_that_was_stopped_for_a_while_starts_anew(house: House) -> None:
    export = house.export()
    house.night(export, MONDAY)
    house.event(noon(TUESDAY), "while it stood still")
    Export.objects.filter(pk=export.pk).update(started_on=WEDNESDAY)
    house.event(noon(WEDNESDAY), "wednesday")
    again = house.night(export, WEDNESDAY)
    house.event(noon(TUESDAY, 1), "late, of then")
    house.event(noon(WEDNESDAY, 1), "late")
    assert ids(again, house.night(export, THURSDAY)) == ["wednesday", "late"]


def test_stopped_and_started_within_a_day_loses_nothing(house: House) -> None:
    export = house.export()
    house.night(export, MONDAY)
    Export.objects.filter(pk=export.pk).update(started_on=TUESDAY)
    house.event(noon(MONDAY), "late")
    house.event(noon(TUESDAY), "tuesday")
    assert ids(house.night(export, TUESDAY)) == ["late", "tuesday"]


def test_a_rerun_holds_all_of_its_day_that_is_there_now(house: House) -> None:
    export = house.export()
    house.event(noon(MONDAY), "monday")
    night = house.night(export, MONDAY)
    house.event(noon(MONDAY, 1), "late")
    again = schedule.run_now(export, None, MONDAY)
    house.write()
    again.refresh_from_db()
    assert (again.kind, ids(again)) == ("backfill", ["monday", "late"])
    assert (again.window_start, again.window_end) == (night.window_start, night.window_end)
    assert ids(house.night(export, TUESDAY)) == ["late"], "the nights go on as they were"


def test_only_the_types_asked_for_are_in_the_file(house: House) -> None:
    for kind in ("a", "b", "c"):
        house.event(noon(MONDAY), f"of {kind}", type=kind)
    assert ids(house.night(house.export(source={"events": ["b"]}), MONDAY)) == ["of b"]
    assert set(ids(house.night(house.export(source={"events": ["a", "b"]}), MONDAY))) == {
        "of a",
        "of b",
    }
    assert len(ids(house.night(house.export(), MONDAY))) == 3


def test_all_records_are_the_active_ones(house: House) -> None:
    house.record("ada", {"Email": "ada@example.edu"}, 1)
    house.record("gone", {}, 1, active=False)
    columns = [{"name": "who", "path": "key"}, {"name": "mail", "path": "Email"}]
    export = house.export(source={"records": "accounts", "changed": False}, columns=columns)
    assert rows(house.night(export, MONDAY)) == [{"who": "ada", "mail": "ada@example.edu"}]
    assert len(rows(house.night(export, TUESDAY))) == 1


def test_changed_records_are_those_of_imports_that_are_news(house: House) -> None:
    house.record("ada", {"Email": "a@example.edu"}, 1)
    house.record("gone", {}, 1, changed_job=2, active=False)
    house.record("other", {}, 3)
    house.finished(noon(MONDAY), 1)
    forged = {"number": 3, "job": "forged", "recordType": "accounts"}
    house.event(noon(MONDAY), type="importFinished", payload=forged)
    export = house.export(source={"records": "accounts", "changed": True}, format="csv", columns=[
        {"name": name, "path": name} for name in ("key", "active", "Email")
    ])  # fmt: skip
    header, *monday = rows(house.night(export, MONDAY))
    assert (header, monday) == (["key", "active", "Email"], [["ada", "true", "a@example.edu"]])
    house.finished(noon(MONDAY, 1), 2)  # late
    house.finished(noon(TUESDAY), 9, "courses")
    tuesday = house.night(export, TUESDAY)
    assert rows(tuesday)[1:] == [["gone", "false", ""]]
    assert (tuesday.rows, tuesday.late_rows) == (1, 1)


def test_record_changes_are_events_where_they_are_asked_for(house: House) -> None:
    house.record("a\x1fb", {"Email": "x"}, 1)
    house.record("changed", {}, 1, changed_job=2)
    house.record("gone", {}, 1, changed_job=2, active=False)
    house.finished(noon(MONDAY), 1)
    house.finished(noon(MONDAY, 1), 2)
    house.event(noon(MONDAY), "plain")
    export = house.export(source={"events": ["recordChange", "courseCompletion"]})
    sent = rows(house.night(export, MONDAY))
    assert sent[0]["id"] == "plain"
    assert {row["key"]: (row["action"], row["job"], row["event"]) for row in sent[1:]} == {
        "a|b": ("created", "job-1", "recordChange"),
        "changed": ("updated", "job-2", "recordChange"),
        "gone": ("removed", "job-2", "recordChange"),
    }
    assert sent[1]["data"] == {"Email": "x"} and len({row["id"] for row in sent}) == 4
    assert house.night(export, TUESDAY).state == EMPTY


def test_another_tenants_events_are_not_in_the_file(house: House) -> None:
    house.event(noon(MONDAY), "ours")
    with tenancy.everyone("the test makes another tenant"):
        other = Tenant.objects.create(name="Other", slug="other-exports")
        Event.objects.create(
            tenant=other, uid="theirs", type="t", at=noon(MONDAY), payload={}, source="api"
        )
    assert ids(house.night(house.export(), MONDAY)) == ["ours"]


def test_late_events_are_found_by_their_transactions(house: House) -> None:
    """Not by reading every event that there is."""
    for day in range(10):
        house.events(noon(MONDAY, -24 * day), [f"{day}.{n}" for n in range(500)])
    owner = connection.get_connection_params() | {"options": ""}
    with psycopg.connect(**owner, autocommit=True) as mine:
        mine.execute("ANALYZE portal_event")
        (snapshot,) = mine.execute("SELECT pg_current_snapshot()::text").fetchone()
    since, before = noon(MONDAY, -1000), selection.Before(noon(MONDAY, 1), snapshot)
    bounds = selection.Bounds(house.tenant.pk, since, noon(MONDAY, 1), noon(TUESDAY), before)
    raw = connection.connection
    late, *_ = selection.parts(raw, {"events": []}, bounds)
    plan = raw.execute(b"EXPLAIN " + objects(late, ()).as_bytes(raw)).fetchall()
    assert late.is_late and any("event_by_transaction" in row[0] for row in plan), plan


def test_a_path_that_no_event_has_is_named_and_empty(house: House) -> None:
    house.event(noon(MONDAY), "e", payload={"there": None, "outer": {"inner": [1, {"x": "y"}]}})
    columns = [
        {"name": name, "path": path}
        for name, path in {
            "a": "there", "b": "nowhere", "c": "outer.inner.1.x", "d": "outer.other", "e": "id",
            "f": "*",
        }.items()
    ]  # fmt: skip
    run = house.night(house.export(columns=columns, format="csv"), MONDAY)
    assert run.state == ExportRun.State.WRITTEN
    assert rows(run)[1][:5] == ["", "", "y", "", "e"]
    assert "“nowhere”, “outer.other”" in run.reason and "there" not in run.reason


def test_hostile_paths_names_and_constants_stay_words(house: House) -> None:
    hostile = "'; DROP TABLE portal_event; -- %s {0} \\' $$ \" ☃"
    house.event(noon(MONDAY), "e", payload={hostile.replace(".", ""): "kept"})
    columns = [
        {"name": hostile, "path": hostile},
        {"name": "c", "constant": hostile},
        {"name": "x", "path": '{a,b}".\'"'},
    ]
    for form in ("csv", "json", "jsonl"):
        export = house.export(columns=columns, format=form)
        sent = rows(house.night(export, MONDAY))
        if form == "csv":
            assert sent == [[hostile, "c", "x"], ["kept", hostile, ""]]
        else:
            assert sent == [{hostile: "kept", "c": hostile, "x": None}]


def test_the_day_is_the_exports_own(house: House) -> None:
    house.event(datetime(2026, 3, 1, 12, tzinfo=UTC), "monday in kiritimati")
    export = house.export(time_zone="Pacific/Kiritimati")
    assert ids(house.night(export, date(2026, 3, 2))) == ["monday in kiritimati"]


def test_what_a_real_import_loaded_is_passed_on(house: House) -> None:
    today = datetime.now(ZoneInfo(ZONE)).date()
    Institution(house.tenant).load_campus("accounts")
    records = house.export(
        source={"records": "accounts", "changed": True}, started_on=today, format="csv"
    )
    changes = house.export(source={"events": ["recordChange"]}, started_on=today)
    header, *sent = rows(house.night(records, today))
    assert header == ["PersonIdentifier", "FirstName", "LastName", "Email", "active"]
    assert sorted(row[2] for row in sent) == ["Lovelace", "Noether", "Turing"]
    passed_on = rows(house.night(changes, today))
    assert [row["action"] for row in passed_on] == ["created"] * 3
