"""The list of jobs: filters, order, pages, the live part, the CSV file, and its first words."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from imports.models import ImportJob
from portal import tenancy
from tests.browser import seed
from tests.cast import Cast, as_person

State = ImportJob.State


def job(cast: Cast, name: str, state: str = State.COMPLETE, **more: Any) -> ImportJob:
    values = {"tenant": cast.home, "feed": "accounts", "record_type": "accounts", **more}
    with tenancy.everyone("a test makes a job"):
        return ImportJob.objects.create(file_name=name, state=state, **values)


def listed(cast: Cast, person: str = "viewer", **query: Any) -> list[str]:
    page = as_person(cast, person).get(reverse("jobs"), query)
    assert page.status_code == 200
    return [row["job"].file_name for row in page.context["rows"]]


def test_it_lists_the_newest_first_and_only_the_tenants_own(cast: Cast) -> None:
    job(cast, "old.csv", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    job(cast, "new.csv", created_at=datetime(2026, 2, 1, tzinfo=UTC))
    job(cast, "foreign.csv", tenant=cast.abroad)
    assert listed(cast) == ["new.csv", "old.csv"]
    assert listed(cast, "outsider") == ["foreign.csv"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "failed"}, ["b.csv"]),
        ({"status": "unfinished"}, ["c.csv"]),
        ({"type": "courses"}, ["b.csv"]),
        ({"name": "A.C"}, ["a.csv"]),
        ({"name": "%"}, []),
        ({"name": "a", "status": "failed"}, []),
        ({"status": "nonsense", "type": "nonsense"}, ["a.csv", "b.csv", "c.csv"]),
    ],
)
def test_it_filters(cast: Cast, query: dict[str, str], expected: list[str]) -> None:
    job(cast, "a.csv")
    job(cast, "b.csv", State.FAILED, record_type="courses")
    job(cast, "c.csv", State.RUNNING)
    assert sorted(listed(cast, **query)) == expected


def test_a_day_begins_and_ends_by_the_tenants_clock(cast: Cast) -> None:
    # 2026-03-02 05:30 UTC is 23:30 of March 1 in Chicago.
    job(cast, "late.csv", created_at=datetime(2026, 3, 2, 5, 30, tzinfo=UTC))
    job(cast, "next.csv", created_at=datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    assert listed(cast, since="2026-03-01", until="2026-03-01") == ["late.csv"]
    assert listed(cast, since="2026-03-02") == ["next.csv"]


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01"])
def test_a_day_that_is_none_is_no_fault_of_ours(cast: Cast, day: str) -> None:
    job(cast, "a.csv")
    assert as_person(cast, "viewer").get(reverse("jobs"), {"until": day}).status_code == 200


def test_it_sorts_both_ways_and_ignores_an_order_it_does_not_know(cast: Cast) -> None:
    for name, rows in (("b.csv", 5), ("a.csv", 9), ("c.csv", 1)):
        job(cast, name, rows_read=rows)
    assert listed(cast, sort="file") == ["a.csv", "b.csv", "c.csv"]
    assert listed(cast, sort="-read") == ["a.csv", "b.csv", "c.csv"]
    assert len(listed(cast, sort="password")) == 3


@pytest.mark.parametrize("sort", ["status", "type", "created", "duration", "-duration", "received"])
def test_every_order_works(cast: Cast, sort: str) -> None:
    job(cast, "a.csv", started_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert listed(cast, sort=sort) == ["a.csv"]


def test_fifty_to_a_page_and_no_more_queries_for_fifty_than_for_one(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    seed.everything(cast, jobs=60)
    assert len(listed(cast)) == 50
    assert len(listed(cast, page="2")) == 20
    client = as_person(cast, "viewer")
    with django_assert_max_num_queries(14):
        client.get(reverse("jobs"))


def test_htmx_gets_the_part_and_nothing_when_nothing_has_changed(cast: Cast) -> None:
    job(cast, "a.csv")
    client = as_person(cast, "viewer")
    part = client.get(reverse("jobs"), headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    assert b"a.csv" in part.content
    (shown,) = {c["live_digest"] for c in part.context if "live_digest" in c} or {""}
    assert shown
    digest = part.content.decode().split('"X-Shown": "')[1].split('"')[0]
    again = {"HX-Request": "true", "X-Shown": digest}
    assert client.get(reverse("jobs"), headers=again).status_code == 204
    job(cast, "b.csv")
    assert client.get(reverse("jobs"), headers=again).status_code == 200


def test_the_page_carries_the_digest_that_its_first_poll_compares(cast: Cast) -> None:
    job(cast, "a.csv")
    client = as_person(cast, "viewer")
    digest = client.get(reverse("jobs")).content.decode().split('"X-Shown": "')[1].split('"')[0]
    headers = {"HX-Request": "true", "X-Shown": digest}
    assert client.get(reverse("jobs"), headers=headers).status_code == 204


def test_going_back_in_the_history_gets_the_whole_page(cast: Cast) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert b"<html" in as_person(cast, "viewer").get(reverse("jobs"), headers=headers).content


@pytest.mark.parametrize(("state", "every"), [(State.RUNNING, "2s"), (State.COMPLETE, "15s")])
def test_it_asks_often_only_while_something_moves(cast: Cast, state: str, every: str) -> None:
    job(cast, "a.csv", state)
    assert (
        f'hx-trigger="every {every}"'
        in as_person(cast, "viewer").get(reverse("jobs")).content.decode()
    )


def test_the_csv_file_holds_what_the_filter_lets_through_and_starts_no_formula(
    cast: Cast,
) -> None:
    job(cast, "=cmd.csv", State.FAILED, rows_read=7)
    job(cast, "other.csv")
    job(cast, "foreign.csv", State.FAILED, tenant=cast.abroad)
    answer = as_person(cast, "viewer").get(reverse("jobs-csv"), {"status": "failed"})
    assert answer["Content-Disposition"].startswith("attachment")
    text = answer.getvalue().decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["file"], row["read"], row["status"]) == ("'=cmd.csv", "7", "Failed")


def test_the_csv_file_is_whole_beyond_one_slice(cast: Cast) -> None:
    seed.everything(cast, jobs=1100)
    text = as_person(cast, "viewer").get(reverse("jobs-csv")).getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len({row["job"] for row in rows}) == 1110


def test_a_tenant_without_a_job_is_shown_how_to_send_one(cast: Cast) -> None:
    page = as_person(cast, "viewer").get(reverse("jobs")).content.decode()
    assert "No files have arrived yet" in page
    assert "harbor-sis@" in page
    assert "Accounts/AccountImports" in page


def test_a_filter_that_fits_nothing_says_so_and_not_that_there_is_nothing(cast: Cast) -> None:
    job(cast, "a.csv")
    page = as_person(cast, "viewer").get(reverse("jobs"), {"name": "zzz"}).content.decode()
    assert "No jobs match this filter" in page
    assert "No files have arrived yet" not in page


def test_foreign_text_is_shown_as_text(cast: Cast) -> None:
    seed.everything(cast, jobs=0)
    for name in ("jobs", "arrivals", "sightings"):
        page = as_person(cast, "viewer").get(reverse(name)).content.decode()
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page
        assert "\u202e" not in page


def statuses(cast: Cast) -> dict[str, str]:
    text = as_person(cast, "viewer").get(reverse("jobs-csv")).getvalue().decode("utf-8-sig")
    return {row["file"]: row["status"] for row in csv.DictReader(io.StringIO(text))}


def test_an_undone_import_is_listed_as_undone_until_the_undo_is_undone(cast: Cast) -> None:
    undo = job(cast, "undo", undoes=job(cast, "p.csv"))
    page = as_person(cast, "viewer").get(reverse("jobs")).content.decode()
    assert page.count('<span class="sub">Undone</span>') == 1
    assert statuses(cast) == {"p.csv": "Undone", "undo": "Complete"}
    job(cast, "again", undoes=undo)
    assert statuses(cast) == {"p.csv": "Complete", "undo": "Undone", "again": "Complete"}
