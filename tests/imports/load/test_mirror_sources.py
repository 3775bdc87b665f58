"""A mirror removes what its own source brought; another's records only where a person agrees."""

from __future__ import annotations

from typing import Any

import pytest

from imports.jobs import actions
from imports.models import ImportJob
from portal.models import Record
from tests.imports.institution import Institution, counts

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
STAFF: dict[str, Any] = {"operation": "mirror", "source": "template:1"}
STUDENTS: dict[str, Any] = {"source": "template:2"}


def people(*names: str, first: str = "Ada") -> str:
    return HEADER + "".join(f"{name},{first},B,{name}@b.org\n" for name in names)


def send(institution: Institution, content: str, **values: Any) -> ImportJob:
    job = institution.send("accounts", content, **values)
    assert job.state == "complete", job.reason
    return job


def names(institution: Institution) -> list[str]:
    return sorted(institution.records("accounts"))


@pytest.fixture
def both(institution: Institution) -> Institution:
    """A mirror's three people, and two that another source brought."""
    send(institution, people("p1", "p2", "p3"), **STAFF)
    send(institution, people("s1", "s2"), **STUDENTS)
    return institution


def test_what_another_source_brought_stays_and_is_counted(both: Institution) -> None:
    """Sent again unchanged, the mirror's file says nothing about the others' records."""
    job = send(both, people("p1", "p2", "p3"), **STAFF)
    assert counts(job) == {"read": 3, "unchanged": 3}
    assert names(both) == ["p1", "p2", "p3", "s1", "s2"]
    notes = " ".join(job.events.values_list("note", flat=True))
    assert "other sources brought them: 2 records" in notes


def test_its_own_leavers_go(both: Institution) -> None:
    assert counts(send(both, people("p1", "p2"), **STAFF)) == {
        "read": 2, "unchanged": 2, "removed": 1,
    }  # fmt: skip
    assert names(both) == ["p1", "p2", "s1", "s2"]


def test_who_touched_a_record_last_owns_it(both: Institution) -> None:
    send(both, people("p3", first="Augusta"), **STUDENTS)
    send(both, people("p1", "p2", "s1", first="Emmy"), **STAFF)
    assert names(both) == ["p1", "p2", "p3", "s1", "s2"]
    send(both, people("p1", first="Emmy"), **STAFF)
    assert names(both) == ["p1", "p3", "s2"]


def test_what_an_undo_restored_is_of_the_source_whose_state_came_back(both: Institution) -> None:
    changed = send(both, people("p1", "s1", first="Augusta"), source="template:3")
    undo = both.undo(changed)
    send(both, people("p2"), **STAFF)
    assert names(both) == ["p2", "s1", "s2"]
    again = both.undo(undo)
    assert again.state == "incomplete"  # p1 was removed meanwhile
    send(both, people("s1", first="Augusta"), operation="mirror", source="template:3")
    assert names(both) == ["p2", "s1", "s2"]
    send(both, people("p2"), operation="mirror", source="template:3")
    assert names(both) == ["p2", "s2"]


def test_a_person_s_change_and_a_job_that_is_gone_are_no_mirror_s(both: Institution) -> None:
    Record.objects.filter(key="p1").update(changed_job=None)
    Record.objects.filter(key="p2").update(changed_job=999_999)
    send(both, people("p3"), **STAFF)
    assert names(both) == ["p1", "p2", "p3", "s1", "s2"]


def test_the_limit_is_of_what_the_mirror_may_remove(institution: Institution) -> None:
    """Many records of others do not make the loss of nearly all of its own look small."""
    own = [f"p{number}" for number in range(150)]
    send(institution, people(*own), **STAFF)
    send(institution, people(*(f"s{number}" for number in range(1_500))), **STUDENTS)
    job = institution.send("accounts", people(*own[:20]), **STAFF)
    assert (job.state, [hold["code"] for hold in job.hold_reasons]) == ("held", ["removes"])


def test_within_a_scope_another_source_s_records_are_asked_about_by_name(
    institution: Institution,
) -> None:
    institution.load_campus()
    header = "PersonIdentifier,SectionIdentifier,Status\n"
    rows = "0001,S1,Enrolled\n0002,S1,Enrolled\n"
    scoped = {**STAFF, "absent_scope": "SectionIdentifier"}
    assert institution.send("enrollments", header + rows, **scoped).state == "complete"
    institution.send("enrollments", f"{header}0003,S1,Enrolled\n0003,S2,Enrolled\n")
    job = institution.send("enrollments", header + rows[:17], **scoped)
    assert (job.state, job.rows_removed) == ("held", 2)
    (hold,) = job.hold_reasons
    assert (hold["code"], hold["count"], hold["value"]) == ("other_sources", 1, "enrollments")
    assert "another source brought them: enrollments" in hold["sentence"]
    assert institution.release(job).state == "complete"
    assert sorted(institution.records("enrollments")) == ["0001\x1fs1", "0003\x1fs2"]


def test_a_correction_is_of_the_source_of_what_it_corrects(institution: Institution) -> None:
    rejected = institution.send("accounts", people("p1") + "p2,Ada,B,nonsense\n", **STAFF)
    assert rejected.state == "incomplete"
    assert rejected.source == "template:1"
    undo = actions.undo(rejected, institution.person())
    assert undo.source == rejected.source
