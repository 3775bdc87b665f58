"""A mirror's file removes what it does not name: within its scope, and never for want of rows."""

from __future__ import annotations

from typing import Any

import pytest

from imports.models import ImportJob
from tests.imports.institution import Institution, counts

HEADER = "PersonIdentifier,SectionIdentifier,Status\n"
INSTRUCTORS = "PersonIdentifier,SectionIdentifier,Role\n0001,S1,Primary\n0002,S2,Secondary\n"
PEOPLE = ("0001", "0002", "0003")
MIRROR: dict[str, Any] = {"operation": "mirror"}


@pytest.fixture(autouse=True)
def campus(institution: Institution) -> None:
    institution.load_campus()
    rows = [f"{person},{section},Enrolled\n" for section in ("S1", "S2") for person in PEOPLE]
    assert institution.send("enrollments", HEADER + "".join(rows)).rows_created == 6


def enrolled(institution: Institution) -> list[str]:
    return sorted(key.replace("\x1f", " ") for key in institution.records("enrollments"))


def mirror(institution: Institution, rows: str, **values: Any) -> ImportJob:
    return institution.send("enrollments", HEADER + rows, **MIRROR, **values)


def test_without_a_scope_all_absent_records_are_removed(institution: Institution) -> None:
    job = mirror(institution, "0001,S1,Enrolled\n0002,S1,Dropped\n")
    assert counts(job) == {"read": 2, "updated": 1, "unchanged": 1, "removed": 4}
    assert enrolled(institution) == ["0001 s1", "0002 s1"]


def test_with_a_scope_only_those_of_the_values_in_the_file(institution: Institution) -> None:
    job = mirror(institution, "0001,s1,Enrolled\n", absent_scope="SectionIdentifier")
    assert (job.state, counts(job)) == ("complete", {"read": 1, "updated": 1, "removed": 2})
    assert enrolled(institution) == ["0001 s1", "0001 s2", "0002 s2", "0003 s2"]


def test_a_file_without_the_scope_s_column_removes_nothing(institution: Institution) -> None:
    rows = "PersonIdentifier,SectionIdentifier\n0001,S1\n"
    job = institution.send("instructors", INSTRUCTORS)
    assert job.rows_created == 2
    job = institution.send("instructors", rows, **MIRROR, absent_scope="Role")
    assert job.rows_removed == 0
    assert len(institution.records("instructors")) == 2


def test_a_file_without_rows_is_held(institution: Institution) -> None:
    job = mirror(institution, "")
    assert (job.state, [hold["code"] for hold in job.hold_reasons]) == ("held", ["empty_mirror"])
    assert "6 records would be removed" in job.reason
    assert len(enrolled(institution)) == 6
    released = institution.release(job)
    assert (released.state, released.rows_removed) == ("complete", 6)
    assert enrolled(institution) == []


def test_a_file_with_rejected_rows_is_held(institution: Institution) -> None:
    """The record of the rejected row is not absent; nobody would see it go."""
    job = mirror(institution, "0001,S1,Enrolled\n0002,S1,Nonsense\n")
    assert (job.state, [hold["code"] for hold in job.hold_reasons]) == (
        "held", ["rejected_in_mirror"],
    )  # fmt: skip
    assert len(enrolled(institution)) == 6


def test_a_file_with_rejected_rows_only_removes_nothing(institution: Institution) -> None:
    job = mirror(institution, "0001,S1,Nonsense\n")
    assert (job.state, counts(job)) == ("failed", {"read": 1, "rejected": 1})
    assert len(enrolled(institution)) == 6


def test_what_a_mirror_removed_can_be_undone(institution: Institution) -> None:
    before = enrolled(institution)
    job = mirror(institution, "0001,S1,Dropped\n")
    assert job.rows_removed == 5
    assert counts(institution.undo(job)) == {"read": 6, "updated": 6}
    assert enrolled(institution) == before
    assert institution.records("enrollments")["0001\x1fs1"]["Status"] == "Enrolled"


def test_values_that_stand_in_rejected_rows_only_do_not_widen_the_scope(
    institution: Institution,
) -> None:
    """The one row with another role repeats a key."""
    header = "PersonIdentifier,SectionIdentifier,Role\n"
    rows = "0001,S1,Primary\n0002,S1,Secondary\n0003,S2,Secondary\n"
    assert institution.send("instructors", header + rows).rows_created == 3
    job = institution.send(
        "instructors",
        f"{header}0001,S1,Primary\n0001,S1,Secondary\n",
        **MIRROR,
        absent_scope="Role",
    )
    assert (job.state, job.rows_removed) == ("incomplete", 0), job.reason
    assert len(institution.records("instructors")) == 3
