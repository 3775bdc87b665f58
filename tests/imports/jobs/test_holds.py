"""Held jobs: what is measured, what the page is given, and what a release lets through."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from imports.jobs import actions, targets
from imports.load import measure, staging
from imports.models import ImportJob
from portal.records.catalog import catalog
from tests.imports.institution import CAMPUS, Institution, counts

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"


def accounts(*numbers: int, prefix: str = "") -> str:
    rows = (f"{prefix}{n:05},Ada {n},Byron,p{n}@example.edu\n" for n in numbers)
    return HEADER + "".join(rows)


def codes(job: ImportJob) -> list[str]:
    return [hold["code"] for hold in job.hold_reasons]


def test_a_file_far_from_the_size_of_the_last_one_is_held(institution: Institution) -> None:
    limits = {"size_change": "50%"}
    assert institution.send("accounts", accounts(*range(20)), limits=limits).state == "complete"
    held = institution.send("accounts", accounts(*range(8)), limits=limits)
    assert (held.state, codes(held)) == ("held", ["size_change"])
    again = institution.send("accounts", accounts(*range(12)), limits=limits)
    assert again.state == "complete", "A held file is not the last one that was imported."


def test_the_last_file_is_the_newest_of_the_same_feed(institution: Institution) -> None:
    institution.send("accounts", accounts(*range(100)))
    institution.send("accounts", accounts(*range(10)))
    institution.send("org_units", CAMPUS["org_units"])
    job = institution.send("accounts", accounts(*range(12)), limits={"size_change": "50%"})
    assert job.state == "complete", job.reason


def test_an_undo_is_no_last_file_and_neither_is_what_it_undid(institution: Institution) -> None:
    limits = {"size_change": "50%"}
    institution.send("accounts", accounts(*range(100)))
    cut = institution.send("accounts", accounts(*range(8)))
    assert institution.undo(cut).state == "complete"
    held = institution.send("accounts", accounts(*range(8)), limits=limits)
    assert (held.state, codes(held)) == ("held", ["size_change"])
    again = institution.send("accounts", accounts(*range(90)), limits=limits)
    assert again.state == "complete", again.reason


def test_changed_identifiers_are_asked_about(institution: Institution) -> None:
    institution.send("accounts", accounts(*range(50)))
    job = institution.send("accounts", accounts(0, 1, 2) + accounts(*range(3, 50), prefix="N")[42:])
    assert (job.state, codes(job)) == ("held", ["identifiers_changed"])
    assert job.reason == (
        "94 % of the identifiers are new, while 47 of 47 of these rows look like "
        "stored records with other identifiers. Did the identifiers change?"
    )
    assert len(institution.records("accounts")) == 50


def plan_without_memory(sql: str, params: Any) -> str:
    """How PostgreSQL would run a query over more records than it may keep in memory."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64kB'")
        cursor.execute("SET LOCAL hash_mem_multiplier = 1")
        cursor.execute(f"EXPLAIN {sql}", params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        transaction.set_rollback(True)
    return plan


def test_people_are_looked_up_in_one_pass_over_the_store_however_large_it_is(
    institution: Institution,
) -> None:
    institution.send("accounts", accounts(*range(3_000)))
    plans: list[str] = []

    def note(execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        sql = statement if isinstance(statement, str) else statement.as_string(None)
        if f"LIMIT {measure._SAMPLE}" in sql and not sql.startswith("EXPLAIN"):
            plans.append(plan_without_memory(sql, params))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(note):
        job = institution.send("accounts", accounts(*range(3_000), prefix="N"))
    assert job.state == "held"
    (plan,) = plans
    assert plan.count(" on portal_record ") == 1, plan
    for slow in ("SubPlan", "Nested Loop", "Merge"):  # each row against each, or all of them sorted
        assert slow not in plan, plan


def test_new_people_beside_known_ones_are_no_changed_identifiers(institution: Institution) -> None:
    institution.send("accounts", accounts(*range(50)))
    job = institution.send("accounts", accounts(*range(100, 150)))
    assert (job.state, counts(job)) == ("complete", {"read": 50, "created": 50})


@pytest.mark.parametrize(
    ("kept", "new", "state"),
    [(60, 40, "complete"), (40, 60, "held"), (60, 90, "complete"), (40, 90, "held")],
)
def test_rows_that_are_stored_already_are_not_missing(
    institution: Institution, kept: int, new: int, state: str
) -> None:
    institution.send("accounts", accounts(*range(100)))
    file = accounts(*range(kept), *range(200, 200 + new))
    job = institution.send("accounts", file, limits={"key_churn": "50%"})
    assert (job.state, job.rows_unchanged) == (state, kept), job.reason


def test_identifiers_that_come_and_go_are_held_beyond_their_limit(institution: Institution) -> None:
    institution.send("accounts", accounts(*range(50)))
    file = accounts(*range(25), *range(100, 125))
    job = institution.send("accounts", file, limits={"key_churn": "49%"})
    assert (job.state, codes(job)) == ("held", ["key_churn"])
    assert institution.send("accounts", file, limits={"key_churn": "50%"}).state == "complete"


@pytest.mark.parametrize(
    ("record_type", "fields"),
    [
        ("accounts", ("Email",)),
        ("org_units", ("Name",)),
        ("courses", ("Subject", "Number", "Title")),
        ("enrollments", ()),
        ("student_demographics", ()),
    ],
)
def test_records_are_known_by_what_tells_them_apart(
    record_type: str, fields: tuple[str, ...]
) -> None:
    assert measure.identifying_fields(catalog().record_type(record_type)) == fields


def test_where_no_field_tells_records_apart_none_is_looked_up(institution: Institution) -> None:
    job = institution.job("enrollments", "")
    table, kind = staging.StagingTable(job), catalog().record_type("enrollments")
    target = targets.target_of(job, kind)
    assert measure.recognise(table, target, measure.identifying_fields(kind)) == (0, 0)


def test_limits_hold_per_value_of_a_field(institution: Institution) -> None:
    institution.load_campus()
    header = "PersonIdentifier,SectionIdentifier,Status\n"
    first = institution.send("enrollments", f"{header}0001,S1,Enrolled\n0002,S1,Enrolled\n")
    assert first.state == "complete"
    per = {"field": "SectionIdentifier", "limits": {"creates": 1, "updates": 1}}
    file = f"{header}0001,s1,Dropped\n0002,S1,Dropped\n0003,S1,Enrolled\n0001,S2,Enrolled\n"
    job = institution.send("enrollments", file, limits_per=per)
    (hold,) = job.hold_reasons
    assert (hold["code"], hold["value"], hold["count"]) == ("updates_per_value", "S1", 2)
    assert institution.release(job).state == "complete"


def test_removals_hold_per_value_also_in_a_mirror(institution: Institution) -> None:
    institution.load_campus()
    header = "PersonIdentifier,SectionIdentifier,Status\n"
    rows = "".join(f"000{n},S1,Enrolled\n" for n in (1, 2, 3))
    institution.send("enrollments", f"{header}{rows}0001,S2,Enrolled\n")
    per = {"field": "SectionIdentifier", "limits": {"removes": 1}}
    job = institution.send(
        "enrollments", f"{header}0001,S1,Enrolled\n", limits_per=per, operation="mirror"
    )
    (hold,) = job.hold_reasons
    assert (hold["value"], hold["count"]) == ("S1", 2)


def test_a_held_job_shows_its_first_rows_and_the_difference(institution: Institution) -> None:
    institution.load_campus("accounts")
    long = "x" * 250
    file = (
        f"{HEADER}0001,Augusta,{long},ADA@example.edu\n0003,Alan,Turing,alan@example.edu\n"
        + accounts(*range(100, 130))[42:]
    )
    job = institution.send("accounts", file, limits={"creates": 1})
    assert job.state == "held"
    detail: dict[str, Any] = job.plan_detail
    assert (len(detail["creates"]), len(detail["updates"]), detail["removes"]) == (20, 1, [])
    assert detail["creates"][0] == {
        "line": 4,
        "key": "00100",
        "record": {"FirstName": "Ada 100", "LastName": "Byron", "Email": "p100@example.edu",
                   "PersonIdentifier": "00100"},
    }  # fmt: skip
    (update,) = detail["updates"]
    assert (update["line"], update["key"], update["returns"]) == (2, "0001", False)
    assert update["changes"]["FirstName"] == ["Ada", "Augusta"]
    assert update["changes"]["LastName"] == ["Lovelace", "x" * 199 + "…"]
    assert "PersonIdentifier" not in update["changes"]


def test_a_dry_run_shows_its_first_rows_and_what_would_hold_it(institution: Institution) -> None:
    institution.load_campus("accounts")
    job = institution.send(
        "accounts", accounts(1), dry_run=True, limits={"creates": 0}, operation="mirror"
    )
    assert (job.state, codes(job)) == ("planned", ["creates", "lost_zeros"])
    detail: dict[str, Any] = job.plan_detail
    assert [row["key"] for row in detail["creates"]] == ["00001"]
    assert [(row["key"], row["line"]) for row in detail["removes"]] == [
        ("0001", None), ("0002", None), ("0003", None),
    ]  # fmt: skip


def test_a_limit_that_cannot_be_read_releases_nothing(institution: Institution) -> None:
    job = institution.send("accounts", accounts(1, 2, 3), limits={"creates": 2})
    with pytest.raises(actions.NotPossible, match="neither a whole number"):
        actions.release(job, institution.person(), limits={"creates": "all"})
    job.refresh_from_db()
    assert job.state == "held"


def test_a_discarded_job_changes_nothing(institution: Institution) -> None:
    institution.send("accounts", CAMPUS["accounts"])
    before = institution.writes()
    job = institution.send("accounts", accounts(1, 2, 3), limits={"creates": 2})
    actions.discard(job, institution.person())
    assert institution.work() == []
    assert institution.writes() == before
