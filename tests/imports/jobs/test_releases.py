"""What a release lets through: the very plan that was shown, or one that grew within its limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.jobs import actions
from imports.load.ceilings import FLOOR
from imports.load.measured import Plan
from imports.load.released import changed, is_same
from imports.models import ImportJob
from portal.models import AuditEntry
from tests.imports.institution import Institution, counts, states

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
MIRROR: dict[str, Any] = {"operation": "mirror"}


def person(n: int, first: str = "Ada", email: str = "") -> str:
    return f"p{n:03},{first},Byron{n},{email or f'p{n}@example.edu'}\n"


def people(*numbers: int) -> str:
    return HEADER + "".join(map(person, numbers))


def codes(job: ImportJob) -> list[str]:
    return [hold["code"] for hold in job.hold_reasons]


def test_a_release_carries_out_what_was_shown(institution: Institution) -> None:
    job = institution.send("accounts", people(1, 2, 3), limits={"creates": 2})
    assert job.state == "held"
    assert institution.records("accounts") == {}
    done = institution.release(job)
    assert (done.state, done.rows_created) == ("complete", 3)
    assert states(done) == ["running", "held", "ready", "running", "complete"]
    released = done.events.get(state="ready")
    assert (released.actor, released.note) == (str(institution.person()), "Released as planned.")


def test_yesterday_s_held_file_does_not_take_back_what_today_s_brought(
    institution: Institution,
) -> None:
    """The held file is cut off; the newer one is whole, with a new name and a new address."""
    institution.send("accounts", people(*range(90)))
    monday = people(*range(89)) + "p089,Giv"
    held = institution.send("accounts", monday, **MIRROR, file_name="Staff-monday.csv")
    assert (held.state, codes(held)) == ("held", ["rejected_in_mirror"])
    tuesday = HEADER + person(0, "Renamed") + person(1, email="new@example.edu")
    tuesday += "".join(map(person, range(2, 90)))
    newer = institution.send("accounts", tuesday, **MIRROR, file_name="Staff-tuesday.csv")
    assert newer.state == "complete", newer.reason
    before = institution.records("accounts")
    again = institution.release(held)
    assert (again.state, again.rows_updated, again.rows_removed) == ("held", 2, 1)
    assert codes(again)[0] == "plan_changed"
    assert again.hold_reasons[0]["sentence"] == (
        "The plan is not the one any more that was released: updated 2 instead of 0. Records that "
        "it names were changed since by Staff-tuesday.csv (2). Look at it again."
    )
    updates = again.plan_detail["updates"]
    assert [(row["key"], row["since"]) for row in updates] == [
        ("p000", "Staff-tuesday.csv"), ("p001", "Staff-tuesday.csv"),
    ]  # fmt: skip
    assert updates[0]["changes"] == {"FirstName": ["Renamed", "Ada"]}
    assert institution.records("accounts") == before
    done = institution.release(again)
    assert (done.state, done.rows_updated) == ("incomplete", 2), "Seen and wanted: as it says."


def test_the_same_numbers_of_other_records_are_another_plan(institution: Institution) -> None:
    institution.send("accounts", people(1, 2, 3))
    job = institution.send("accounts", people(1, 2), **MIRROR, limits={"removes": 0})
    assert (job.state, job.rows_removed) == ("held", 1)
    institution.send("accounts", HEADER + "p003,Ada,Byron3,p3@example.edu\n", operation="remove")
    institution.send("accounts", people(4))
    again = institution.release(job)
    assert (again.state, again.rows_removed) == ("held", 1), "p004 would go instead of p003."
    assert "other records or values" in again.hold_reasons[0]["sentence"]
    assert set(institution.records("accounts")) == {"p001", "p002", "p004"}


def test_the_same_records_with_other_values_before_are_another_plan(
    institution: Institution,
) -> None:
    institution.send("accounts", people(1))
    job = institution.send("accounts", HEADER + person(1, "Augusta"), limits={"updates": 0})
    institution.send("accounts", HEADER + person(1, "Annabella"))
    again = institution.release(job)
    assert (again.state, codes(again)[0]) == ("held", "plan_changed")
    (row,) = again.plan_detail["updates"]
    assert row["changes"] == {"FirstName": ["Annabella", "Augusta"]}


def test_a_smaller_plan_is_another_plan(institution: Institution) -> None:
    job = institution.send("accounts", people(1, 2, 3), limits={"creates": 1})
    institution.send("accounts", people(3))
    again = institution.release(job)
    assert again.state == "held"
    assert "created 2 instead of 3" in again.reason
    assert institution.release(again).state == "complete"


def test_what_does_not_concern_the_plan_does_not_hold_it(institution: Institution) -> None:
    job = institution.send("accounts", people(1, 2, 3), limits={"creates": 1})
    institution.send("accounts", people(7, 8))
    institution.send(
        "org_units", "OrgUnitIdentifier,Name,ParentIdentifier,Type\nU,U,,Institution\n"
    )
    assert institution.release(job).state == "complete"


def test_a_plan_that_grew_is_held_again(institution: Institution) -> None:
    institution.send("accounts", people(1, 2, 3))
    file = HEADER + "".join(person(n, "Augusta") for n in (1, 2, 3))
    job = institution.send("accounts", file, limits={"updates": 1})
    assert (job.state, job.rows_updated) == ("held", 3)
    shown = {**actions.plan_shown(job), "updated": 2, "holds": [], "digests": {"updates": "2-1-1"}}
    ImportJob.objects.filter(pk=job.pk).update(state="ready", released_plan=shown, attempt=0)
    institution.work()
    job.refresh_from_db()
    assert (job.state, codes(job)) == ("held", ["plan_changed", "updates"])


def raise_limits(institution: Institution, updates: int) -> ImportJob:
    """A held job of two changes, which become three before it is released with that limit."""
    institution.send("accounts", people(1, 2, 3))
    file = HEADER + person(1, "X") + person(2, "X") + person(3)
    job = institution.send("accounts", file, limits={"updates": 1, "creates": 7})
    assert (job.state, job.rows_updated) == ("held", 2)
    institution.send("accounts", HEADER + person(3, "Later"))
    return institution.release(job, limits={"updates": updates})


def test_a_plan_may_grow_as_far_as_the_person_said(institution: Institution) -> None:
    done = raise_limits(institution, updates=3)
    assert (done.state, done.rows_updated) == ("complete", 3), done.reason
    note = done.events.get(state="ready").note
    assert note == "Released with limits for this job only: updates 3."
    assert done.events.filter(note__endswith="the release: updated 3 instead of 2.").exists()
    assert AuditEntry.objects.get(action="job.release").detail["limits"] == {"updates": 3}


def test_a_limit_that_allows_no_more_than_was_shown_allows_no_other_plan(
    institution: Institution,
) -> None:
    again = raise_limits(institution, updates=2)
    assert (again.state, codes(again)) == ("held", ["plan_changed", "updates"])


def test_a_limit_raised_for_one_effect_lets_no_other_one_change(institution: Institution) -> None:
    institution.send("accounts", people(1, 2, 3))
    file = HEADER + person(1, "X") + person(2, "X")
    job = institution.send("accounts", file, **MIRROR, limits={"updates": 1})
    assert (job.state, job.rows_removed) == ("held", 1)
    institution.send("accounts", people(4))
    again = institution.release(job, limits={"updates": 50})
    assert (again.state, codes(again)[0]) == ("held", "plan_changed")
    assert "removed 2 instead of 1" in again.reason


def test_raised_limits_are_for_this_job_only(institution: Institution) -> None:
    done = raise_limits(institution, updates=3)
    assert done.limits == {"updates": 1, "creates": 7}, "A corrected file gets the job's own."


@pytest.mark.parametrize(("meanwhile", "state"), [(9, "complete"), (2, "held")])
def test_a_hold_of_an_older_portal_goes_by_its_numbers(
    institution: Institution, meanwhile: int, state: str
) -> None:
    job = institution.send("accounts", people(1, 2, 3), limits={"creates": 1})
    ImportJob.objects.filter(pk=job.pk).update(plan_digests=None)
    job.refresh_from_db()
    institution.send("accounts", people(meanwhile))
    assert institution.release(job).state == state


def test_a_dry_run_s_plan_is_carried_out_as_it_was_shown(institution: Institution) -> None:
    institution.send("accounts", people(1, 2))
    file = HEADER + person(1, "Augusta")
    checked = institution.send("accounts", file, dry_run=True)
    plan = actions.plan_shown(checked)
    institution.send("accounts", HEADER + person(1, "Annabella"))
    job = institution.send("accounts", file, released_plan=plan)
    assert (job.state, codes(job)) == ("held", ["plan_changed"])


def test_counts_are_zero_between_release_and_the_end(institution: Institution) -> None:
    job = institution.send("accounts", people(1, 2, 3), limits={"creates": 1})
    actions.release(job, institution.person())
    job.refresh_from_db()
    assert (job.state, counts(job)) == ("ready", {"read": 3})


def test_an_ordinary_job_makes_no_digest(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> dict[str, str]:
        raise AssertionError("A digest was made.")

    monkeypatch.setattr("imports.jobs.holding.digests", fail)
    assert institution.send("accounts", people(*range(20))).state == "complete"
    assert institution.send("accounts", people(*range(10))).state == "complete"


def test_the_digest_goes_by_rows_and_not_by_their_order(institution: Institution) -> None:
    institution.send("accounts", people(1, 2, 3))
    rows = [person(1, "X"), person(2, "Y"), person(8), person(9)]
    one_way = institution.send("accounts", HEADER + "".join(rows), dry_run=True, **MIRROR)
    other_way = institution.send("accounts", HEADER + "".join(rows[::-1]), dry_run=True, **MIRROR)
    assert one_way.plan_digests == other_way.plan_digests
    assert set(one_way.plan_digests) == {"creates", "updates", "removes"}
    rows[3] = person(9, "Z")
    changed_row = institution.send("accounts", HEADER + "".join(rows), dry_run=True, **MIRROR)
    differing = {
        name
        for name, digest in changed_row.plan_digests.items()
        if digest != one_way.plan_digests[name]
    }
    assert differing == {"creates"}


@given(
    shown=st.integers(0, 40),
    now=st.integers(0, 40),
    limit=st.none() | st.integers(0, 60) | st.integers(0, 100).map(lambda n: f"{n}%"),
)
def test_another_effect_passes_only_within_a_limit_above_what_was_shown(
    shown: int, now: int, limit: int | str | None
) -> None:
    plan = Plan(now, now, 0, 0, 0, 0, stored=40)
    released = {"created": shown, "digests": {"creates": "a"}, "limits": {"creates": limit}}
    assert is_same({"creates": "a"}, released)
    if limit is None:
        allowed = -1
    else:
        allowed = limit if isinstance(limit, int) else max(FLOOR, int(40 * int(limit[:-1]) / 100))
    assert bool(changed(plan, {"creates": "b"}, released, [])) is (allowed <= shown)
