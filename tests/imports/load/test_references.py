"""References to records that were removed, and what refers to a record when it is removed."""

from __future__ import annotations

from typing import Any

import pytest

from imports.jobs import undo
from imports.models import ImportJob
from tests.imports.institution import CAMPUS, Institution, counts, issues

ACCOUNTS = CAMPUS["accounts"]
HEADER = "PersonIdentifier,SectionIdentifier,Status\n"
ENROLLED = HEADER + "0002,S1,Enrolled\n0003,S1,Enrolled\n"
MIRROR: dict[str, Any] = {"operation": "mirror", "limits": {"removes": "100%"}}
WITHOUT_0003 = "".join(ACCOUNTS.splitlines(keepends=True)[:-1])
PROGRAM = (
    "ProgramIdentifier,OrgUnitIdentifier,Name,Type,Description,CourseIdentifiers\n"
    'P1,SCI,Biology,Undergraduate,,"BIO101,bio102"\n'
)
REMOVED = ("removed_reference", "PersonIdentifier")


@pytest.fixture
def campus(institution: Institution) -> Institution:
    institution.load_campus()
    assert counts(institution.send("enrollments", ENROLLED)) == {"read": 2, "created": 2}
    return institution


def warning(job: ImportJob) -> str:
    return job.issue_groups.get(code="removed_depended_on").message


def test_a_removal_names_the_records_that_refer_to_it(campus: Institution) -> None:
    campus.send("enrollments", HEADER + "0003,S2,Enrolled\n")
    campus.send("instructors", "PersonIdentifier,SectionIdentifier,Role\n0003,S2,Primary\n")
    job = campus.send("accounts", WITHOUT_0003, **MIRROR)
    assert (job.state, job.rows_removed) == ("complete", 1)
    group = job.issue_groups.get(code="removed_depended_on")
    assert (group.severity, group.count) == ("warning", 3)
    assert "Enrollments 2 (PersonIdentifier)" in group.message
    assert group.examples[0][1].endswith("0003 / s1")


def test_a_hold_names_them_too(campus: Institution) -> None:
    job = campus.send("accounts", WITHOUT_0003, operation="mirror", limits={"removes": 0})
    assert job.state == "held"
    (dependents,) = job.plan_detail["dependents"]
    assert (dependents["field"], dependents["count"]) == ("PersonIdentifier", 1)
    assert dependents["keys"] == ["0003 / s1"]
    assert "refers to what this file removes" in warning(job)


def test_lists_and_the_own_type_count_and_what_goes_with_it_does_not(
    institution: Institution,
) -> None:
    institution.load_campus()
    job = institution.send("academic_programs", PROGRAM)
    assert job.state == "complete", issues(job)
    courses = "".join(CAMPUS["courses"].splitlines(keepends=True)[:2])
    removed = institution.send("courses", courses, **MIRROR)
    assert "Sections 1 (CourseIdentifier)" in warning(removed)
    assert "Academic programs 1 (CourseIdentifiers)" in warning(removed)
    units = institution.send("org_units", CAMPUS["org_units"] + "BIO,Biology,BI,SCI,Department\n")
    assert units.state == "complete"
    only_university = "".join(CAMPUS["org_units"].splitlines(keepends=True)[:2])
    without_parent = f"{only_university}BIO,Biology,BI,SCI,Department\n"
    planned = institution.send("org_units", without_parent, **MIRROR, dry_run=True)
    assert "units 1 (ParentIdentifier)" in warning(planned)
    both = institution.send("org_units", only_university, **MIRROR)
    assert both.rows_removed == 2
    assert "ParentIdentifier" not in warning(both)


def test_what_nothing_refers_to_is_removed_without_a_word(campus: Institution) -> None:
    job = campus.send("accounts", ACCOUNTS + "0004,No,Body,no@example.edu\n")
    assert job.state == "complete"
    removed = campus.send("accounts", ACCOUNTS, **MIRROR)
    assert (removed.rows_removed, issues(removed)) == (1, {})


def test_a_row_that_refers_to_a_removed_record_has_one_verdict(campus: Institution) -> None:
    """Changed, unchanged or new: the account exists, though it is not active."""
    campus.send("accounts", WITHOUT_0003, **MIRROR)
    unchanged = campus.send("enrollments", ENROLLED)
    assert (unchanged.state, counts(unchanged)) == ("complete", {"read": 2, "unchanged": 2})
    changed = campus.send("enrollments", HEADER + "0003,S1,Withdrawn\n")
    assert (changed.state, counts(changed)) == ("complete", {"read": 1, "updated": 1})
    assert issues(changed) == {REMOVED: 1}
    fresh = campus.send("enrollments", HEADER + "0003,S2,Enrolled\n")
    assert (fresh.state, issues(fresh)) == ("complete", {REMOVED: 1})
    unknown = campus.send("enrollments", HEADER + "0009,S2,Enrolled\n")
    assert (unknown.state, issues(unknown)) == (
        "failed", {("unknown_reference", "PersonIdentifier"): 1},
    )  # fmt: skip


def test_lists_may_name_removed_records_too(institution: Institution) -> None:
    institution.load_campus()
    courses = "".join(CAMPUS["courses"].splitlines(keepends=True)[:2])
    institution.send("courses", courses, **MIRROR)
    job = institution.send("academic_programs", PROGRAM)
    assert job.state == "complete", issues(job)
    (group,) = job.issue_groups.all()
    assert (group.code, [value for _, value in group.examples]) == (
        "removed_reference", ["bio102"],
    )  # fmt: skip


def test_a_parent_that_was_removed_is_no_unknown_parent(institution: Institution) -> None:
    institution.load_campus("org_units")
    only_university = "".join(CAMPUS["org_units"].splitlines(keepends=True)[:2])
    institution.send("org_units", only_university, **MIRROR)
    header = CAMPUS["org_units"].splitlines(keepends=True)[0]
    job = institution.send("org_units", header + "BIO,Biology,BI,SCI,Department\n")
    assert (job.state, issues(job)) == ("complete", {})


def test_an_undo_says_beforehand_what_would_refer_to_nothing(campus: Institution) -> None:
    job = ImportJob.objects.get(feed="accounts")
    preview = undo.preview(job)
    assert preview.removed == 3
    (dependents,) = preview.dependents
    assert (dependents.field, dependents.count) == ("PersonIdentifier", 2)
    done = campus.undo(job)
    assert done.plan_detail["dependents"][0]["count"] == 2
    assert "Others that refer to removed ones stay" in done.reason
