"""Each built-in feed: a small good file becomes exactly the documents that the dictionary means."""

from __future__ import annotations

from typing import Any

import pytest

from portal.records.catalog import catalog
from tests.imports.institution import CAMPUS, Institution, counts, issues, states

FILES: dict[str, str] = {
    **CAMPUS,
    "section_attributes": "Identifier,Key,Value\nS1,Honors,Honors\ns1,Lab,Yes\n",
    "enrollments": "PersonIdentifier,SectionIdentifier,Status,Credits,StartDate\n"
    "0001,S1,ENROLLED,3,2026-08-24\n0002,S1,Dropped,,\n",
    "instructors": "PersonIdentifier,SectionIdentifier,Role\n0003,S1,primary\n0003,S2,\n",
    "academic_programs": "ProgramIdentifier,OrgUnitIdentifier,Name,Type,Description,"
    'CourseIdentifiers\nBIO-BS,SCI,Biology,Undergraduate,,"BIO101;BIO102"\n',
    "student_demographics": "ExternalId,PersonIdentifier,EffectiveOn,FirstName,LastName,Sex,"
    "ActMathScore,CumulativeGpa,IsCommuter,AnticipatedGraduationDate\n"
    "0001,0001,2026-08-24,Ada,Lovelace,F,30,3.75,T,6/15/2028\n",
    "faculty_demographics": "ExternalId,PersonIdentifier,EffectiveOn,FirstName,LastName,RetiredOn,"
    "Department1\n0003,0003,2026-08-24,Alan,Turing,,Mathematics\n",
    "engage_users": "Action,Username,FirstName,LastName,CampusEmail\n"
    "Update,ALovelace,Ada,Lovelace,ada@example.edu\n",
    "beacon_connections": "AdvisorID,ExternalID,Action\n0003,0001,\n0003,0002,Connect\n",
}
# Key of the record -> the fields in the order of the file's columns.
STORED: dict[str, dict[str, list[Any]]] = {
    "accounts": {
        "0001": ["0001", "Ada", "Lovelace", "ada@example.edu"],
        "0002": ["0002", "Emmy", "Noether", "emmy@example.edu"],
        "0003": ["0003", "Alan", "Turing", "alan@example.edu"],
    },
    "org_units": {
        "u": ["U", "University", None, None, "Institution"],
        "sci": ["SCI", "Science", "SC", "U", "School"],
    },
    "academic_terms": {
        "2026": ["2026", "Year 2026", "2026-01-01", "2026-12-31", None, "Annual"],
        "2026fa": ["2026FA", "Fall 2026", "2026-08-24", "2026-12-18", "2026", "Semester"],
    },
    "courses": {
        "bio101": [
            "BIO101",
            "BIO",
            "101",
            "Biology I",
            3.5,
            "SCI",
            "Undergraduate",
            "Cells",
            "26.0101",
        ],
        "bio102": ["BIO102", "BIO", "102", "Biology II", None, "sci", "Undergraduate", None, None],
    },
    "sections": {
        "s1": ["S1", "2026FA", "BIO101", "01", "2026-08-24", "2026-12-18", "Online", "XL-1"],
        "s2": ["S2", "2026fa", "bio102", "01", "2026-08-24", "2026-12-18", "Face2Face", "XL-1"],
    },
    "section_attributes": {
        "s1\x1fhonors\x1fhonors": ["S1", "Honors", "Honors"],
        "s1\x1flab\x1fyes": ["s1", "Lab", "Yes"],
    },
    "enrollments": {
        "0001\x1fs1": ["0001", "S1", "Enrolled", 3.0, "2026-08-24"],
        "0002\x1fs1": ["0002", "S1", "Dropped", None, None],
    },
    "instructors": {
        "0003\x1fs1": ["0003", "S1", "Primary"],
        "0003\x1fs2": ["0003", "S2", None],
    },
    "academic_programs": {
        "bio-bs": ["BIO-BS", "SCI", "Biology", "Undergraduate", None, ["BIO101", "BIO102"]],
    },
    "student_demographics": {
        "0001\x1f2026-08-24": [
            "0001",
            "0001",
            "2026-08-24",
            "Ada",
            "Lovelace",
            "F",
            30,
            3.75,
            True,
            "2028-06-15",
        ],
    },
    "faculty_demographics": {
        "0003\x1f2026-08-24": ["0003", "0003", "2026-08-24", "Alan", "Turing", None, "Mathematics"],
    },
    "engage_users": {"alovelace": ["ALovelace", "Ada", "Lovelace", "ada@example.edu"]},
    "beacon_connections": {"0003\x1f0001": ["0003", "0001"], "0003\x1f0002": ["0003", "0002"]},
}


def fields(feed: str) -> list[str]:
    """The file's columns under the names of the fields."""
    header = FILES[feed].partition("\n")[0].replace("StartDate", "BeginDate").split(",")
    return [name for name in header if name != "Action"]


def prepare(institution: Institution, feed: str) -> None:
    """Import what the feed refers to."""
    before = list(CAMPUS)[: list(CAMPUS).index(feed)] if feed in CAMPUS else list(CAMPUS)
    for name in before:
        institution.load_campus(name)


def test_the_table_has_every_feed_that_makes_records() -> None:
    others = {"remove_instructors", "events"}  # the events' columns are in test_event_files.py
    assert set(FILES) == {feed.name for feed in catalog().feeds()} - others


@pytest.mark.parametrize("feed", FILES)
def test_a_good_file_becomes_its_documents_and_is_written_once(
    institution: Institution, feed: str
) -> None:
    prepare(institution, feed)
    rows = len(STORED[feed])

    first = institution.send(feed, FILES[feed])
    assert (first.state, first.reason, issues(first)) == ("complete", "", {})
    assert counts(first) == {"read": rows, "created": rows}
    assert states(first) == ["running", "complete"]
    documents = {
        key: dict(zip(fields(feed), values, strict=True)) for key, values in STORED[feed].items()
    }
    assert institution.records(first.record_type) == documents
    assert not first.attachment

    before = institution.writes()
    again = institution.send(feed, FILES[feed])
    assert (again.state, issues(again)) == ("complete", {})
    assert counts(again) == {"read": rows, "unchanged": rows}
    assert institution.writes() == before
