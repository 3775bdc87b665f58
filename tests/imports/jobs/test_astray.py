"""A file in another feed's folder is told where it belongs, and never loaded as what it is not."""

from __future__ import annotations

import pytest

from imports.issues import Code, Issue, headline
from imports.models import Arrival, ArrivalFile, ImportJob
from portal.models import Drop, Endpoint
from tests.imports.conftest import institution as institution
from tests.imports.institution import CAMPUS, Institution

PEOPLE = CAMPUS["accounts"]


def delivered(institution: Institution, path: str, content: str, **folders: str) -> ImportJob:
    """The job of a file that came into a folder of an account with these folders."""
    endpoint = Endpoint.objects.create(tenant=institution.tenant, name="Test")
    drops = {
        feed: Drop.objects.create(
            tenant=institution.tenant, endpoint=endpoint, path=folder, feed=feed
        )
        for feed, folder in folders.items()
    }
    arrival = Arrival.objects.create(
        tenant=institution.tenant, drop=drops[path], identity="a", name="a.done"
    )
    file = ArrivalFile.objects.create(
        tenant=institution.tenant, arrival=arrival, index=1, name="export.csv"
    )
    return institution.send(path, content, arrival_file=file, file_name="export.csv")


@pytest.mark.parametrize(
    ("feed", "content", "label"),
    [
        ("courses", PEOPLE, "Accounts"),
        ("org_units", "user_id,login_id,first_name,last_name,email\n1,a,Ada,M,a@b.example\n",
         "Accounts"),
        ("accounts", CAMPUS["courses"], "Courses"),
        ("accounts", "STVTERM_CODE,STVTERM_DESC,STVTERM_START_DATE,STVTERM_END_DATE,"
         "STVTERM_TRMT_CODE\n2026,Fall,2026-08-01,2026-12-01,S\n", "Academic terms"),
        ("courses", CAMPUS["sections"], "Sections"),
    ],
)  # fmt: skip
def test_a_file_of_another_feed_is_not_told_to_rename_its_columns(
    institution: Institution, feed: str, content: str, label: str
) -> None:
    job = institution.send(feed, content, file_name="export.csv")
    assert (job.state, job.fault) == ("failed", "sender")
    assert job.reason.startswith(f"The file looks like {label}, not like ")
    assert "rename" not in job.reason
    assert [group.code for group in job.issue_groups.all()] == ["other_feed"]


def test_it_is_told_the_folder(institution: Institution) -> None:
    folders = {"accounts": "harbor/people", "courses": "harbor/courses"}
    job = delivered(institution, "courses", PEOPLE, **folders)
    assert "Send it again into the folder harbor/people, with its manifest." in job.reason
    assert 'For Courses it lacks "CourseIdentifier", "Subject"' in job.reason


def test_of_several_folders_it_is_told_all_in_the_order_of_their_names(
    institution: Institution,
) -> None:
    endpoint = Endpoint.objects.create(tenant=institution.tenant, name="Test")
    for path, feed in (("z", "accounts"), ("courses", "courses"), ("a", "accounts")):
        drop = Drop.objects.create(
            tenant=institution.tenant, endpoint=endpoint, path=path, feed=feed
        )
        if feed == "courses":
            arrival = Arrival.objects.create(
                tenant=institution.tenant, drop=drop, identity="a", name="a.done"
            )
    file = ArrivalFile.objects.create(
        tenant=institution.tenant, arrival=arrival, index=1, name="export.csv"
    )
    job = institution.send("courses", PEOPLE, arrival_file=file, file_name="export.csv")
    assert 'Send it again into one of "a", "z", with its manifest.' in job.reason


def test_where_there_is_no_such_folder_that_is_said(institution: Institution) -> None:
    job = delivered(institution, "courses", PEOPLE, courses="harbor/courses")
    assert "This account has no folder for that: ask the portal's operator." in job.reason


def test_a_bad_header_of_its_own_feed_is_advised_as_before(institution: Institution) -> None:
    job = institution.send("accounts", PEOPLE.replace("LastName", "Surname"))
    assert 'The file has "Surname": rename it.' in job.reason


def test_enrollments_sent_as_instructors_are_not_loaded_unasked(institution: Institution) -> None:
    for feed, content in CAMPUS.items():
        institution.send(feed, content)
    content = "PersonIdentifier,SectionIdentifier,Status\n0001,S1,Enrolled\n"
    for feed in ("instructors", "remove_instructors"):
        job = institution.send(feed, content)
        assert job.state == "held"
        (reason,) = [hold["sentence"] for hold in job.hold_reasons if hold["code"] == "header"]
        assert "The columns are those of Enrollments" in reason
    assert institution.records("instructors") == {}


def test_a_column_too_many_is_no_other_feed(institution: Institution) -> None:
    job = institution.send("accounts", "Title," + PEOPLE.replace("\n0", "\nDr,0"))
    assert job.state == "complete"


@pytest.mark.parametrize(
    ("number", "end"),
    [
        (3, "m2"),
        (4, '1 more column is missing: "c3".'),
        (6, '3 more columns are missing: "c3", "c4", "c5".'),
    ],
)
def test_a_headline_says_what_it_leaves_out(number: int, end: str) -> None:
    issues = [Issue(Code.MISSING_COLUMN, f"m{i}", column=f"c{i}") for i in range(number)]
    assert headline(issues).endswith(end)


def test_a_headline_of_other_problems_says_how_many_more() -> None:
    issues = [Issue(Code.BAD_TEMPLATE, f"m{i}") for i in range(5)]
    assert headline(issues) == "m0 m1 m2 There are 2 more."
