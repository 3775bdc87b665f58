"""The tree of units: one Institution, known parents in any order of the rows, no circle."""

from __future__ import annotations

import pytest

from portal.models import Record
from tests.imports.institution import CAMPUS, Institution, counts, issues, rejected

HEADER = "OrgUnitIdentifier,Name,Acronym,ParentIdentifier,Type\n"
ROOT = "U,Uni,,,Institution\n"


def units(*rows: str) -> str:
    return HEADER + "".join(f"{row}\n" for row in rows)


def lines(institution: Institution, *rows: str) -> list[int]:
    """The lines that are rejected."""
    job = institution.send("org_units", units(*rows))
    if not job.attachment:
        return []
    return [int(row["_line"]) for row in rejected(job)]


def test_parents_may_stand_below_their_children_and_in_another_case(
    institution: Institution,
) -> None:
    assert lines(institution, "M,Math,,s,Department", "S,Sci,,u,School", ROOT.strip()) == []
    assert set(institution.records("org_units")) == {"m", "s", "u"}


def test_a_row_without_its_parent_is_rejected_with_all_below_it(institution: Institution) -> None:
    job = institution.send(
        "org_units",
        units("U,Uni,,,Institution", "A,A,,NOPE,School", "B,B,,a,School", "C,C,,B,School"),
    )
    assert counts(job) == {"read": 4, "created": 1, "rejected": 3}
    assert issues(job) == {("unknown_reference", "ParentIdentifier"): 3}


def test_a_circle_is_rejected_with_all_below_it(institution: Institution) -> None:
    job = institution.send(
        "org_units",
        units(
            "U,Uni,,,Institution",
            "A,A,,B,School",
            "B,B,,A,School",
            "C,C,,A,School",
            "D,D,,c,School",
        ),
    )
    assert counts(job) == {"read": 5, "created": 1, "rejected": 4}
    assert issues(job) == {
        ("cycle", "ParentIdentifier"): 2,
        ("unknown_reference", "ParentIdentifier"): 2,
    }
    assert set(institution.records("org_units")) == {"u"}


def test_a_circle_with_stored_units_is_rejected(institution: Institution) -> None:
    assert lines(institution, "U,U,,,Institution", "A,A,,U,School", "B,B,,A,School") == []
    job = institution.send("org_units", units("A,A,,B,School"))
    assert issues(job) == {("cycle", "ParentIdentifier"): 1}
    assert institution.records("org_units")["a"]["ParentIdentifier"] == "U"


def test_a_second_institution_in_the_file_is_rejected(institution: Institution) -> None:
    job = institution.send("org_units", units("U,U,,,Institution", "V,V,,,institution"))
    assert issues(job) == {("only_one", "Type"): 1}
    (row,) = rejected(job)
    assert (row["_line"], row["OrgUnitIdentifier"]) == ("3", "V")
    assert "line 2" in row["_error"]


@pytest.mark.parametrize("root", ["U,University,,,Institution\n", ""], ids=["unchanged", "unsent"])
def test_a_second_institution_beside_a_stored_one_is_rejected(
    institution: Institution, root: str
) -> None:
    institution.load_campus("org_units")
    job = institution.send("org_units", f"{HEADER}{root}V,V,,,Institution\nW,W,,V,School\n")
    assert issues(job) == {
        ("only_one", "Type"): 1,
        ("unknown_reference", "ParentIdentifier"): 1,
    }
    assert set(institution.records("org_units")) == {"u", "sci"}


def test_the_institution_may_be_handed_on_in_one_file(institution: Institution) -> None:
    institution.load_campus("org_units")
    assert lines(institution, "U,University,,V,Division", "V,V,,,Institution") == []


def test_the_institution_stays_where_handing_it_on_fails(institution: Institution) -> None:
    """The row that would make room is rejected, so the row that takes the room is as well."""
    institution.load_campus("org_units")
    job = institution.send("org_units", units("U,University,,NOPE,Division", "V,V,,,Institution"))
    assert job.state == "failed", institution.records("org_units")
    kinds = [unit["Type"] for unit in institution.records("org_units").values()]
    assert kinds.count("Institution") == 1


def test_the_institution_stays_where_the_row_that_hands_it_on_is_doubled(
    institution: Institution,
) -> None:
    institution.load_campus("org_units")
    unchanged = CAMPUS["org_units"].splitlines()[1]
    assert lines(institution, unchanged, "U,University,,V,Division", "V,V,,,Institution") == [3, 4]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("A,A,,a,School", "same_as"),
        ("A,A,,,School", "required"),
        ("A,A,,U,Institution", "must_be_blank"),
        ("A,A,,U,Faculty", "not_in_list"),
    ],
)
def test_a_parent_must_fit_its_row(institution: Institution, row: str, code: str) -> None:
    job = institution.send("org_units", units("U,Uni,,,Institution", row))
    assert [group.code for group in job.issue_groups.all()] == [code]
    assert counts(job) == {"read": 2, "created": 1, "rejected": 1}


def test_rows_that_only_lead_to_a_circle_are_not_in_it(institution: Institution) -> None:
    rows = ("U,U,,,Institution", "D,D,,B,School", "B,B,,C,School", "C,C,,B,School")
    job = institution.send("org_units", units(*rows))
    assert issues(job) == {
        ("cycle", "ParentIdentifier"): 2,
        ("unknown_reference", "ParentIdentifier"): 1,
    }
    by_line = {row["_line"]: row["_code"] for row in rejected(job)}
    assert by_line == {"3": "unknown_reference", "4": "cycle", "5": "cycle"}


def test_a_removed_institution_does_not_block_a_new_one(institution: Institution) -> None:
    institution.load_campus("org_units")
    Record.objects.filter(key="u").update(active=False)
    job = institution.send("org_units", units("W,W,,,Institution"))
    assert (job.state, issues(job)) == ("complete", {})
