"""Plans whose numbers are ordinary and that look like a mistake: a person is asked by default."""

from __future__ import annotations

from typing import Any

import pytest

from imports.load import changes
from imports.load.ceilings import DEFAULTS, FLOOR
from imports.models import ImportJob
from portal.records.catalog import catalog
from portal.records.definitions import Field, FieldType, RecordType
from tests.imports.institution import Institution

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
MONA = "r1,Mona,Prior,mona@oak.example\n"


def people(count: int, email: str = "v{n}@oak.example", first: str = "Vic{n}") -> str:
    rows = ((f"vb{n}", first.format(n=n), f"Bug{n}", email.format(n=n)) for n in range(count))
    return HEADER + "".join(",".join(row) + "\n" for row in rows)


def codes(job: ImportJob) -> list[str]:
    return [hold["code"] for hold in job.hold_reasons]


# --- the floor of a percentage ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "kept", "state"),
    [(90, 3, "held"), (90, 80, "held"), (90, 81, "complete"), (12, 6, "held"), (12, 7, "complete")],
)
def test_a_cut_off_file_of_a_small_institution_is_asked_about(
    institution: Institution, stored: int, kept: int, state: str
) -> None:
    institution.send("accounts", people(stored))
    job = institution.send("accounts", people(kept), operation="mirror")
    assert (job.state, job.rows_removed) == (state, stored - kept), job.reason
    if state == "held":
        assert f"would remove {stored - kept} records; the limit is 10% (" in job.reason
        assert ("a percentage always allows 5" in job.reason) is (stored == 12)


def test_a_first_file_and_new_people_are_not_asked_about(institution: Institution) -> None:
    limits = {"creates": "10%"}
    assert institution.send("accounts", people(30), limits=limits).state == "complete"
    assert institution.send("accounts", people(33), limits=limits).state == "complete"
    assert institution.send("accounts", people(50)).state == "complete"
    assert institution.send("accounts", people(60), limits=limits).state == "held"


# --- one number, another person -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ("r1,Tariq,Newcomer,tariq@oak.example", "held"),
        ("r1,tariq,NEWCOMER,TARIQ@oak.example", "held"),
        ("r1,Mona,Married,married@oak.example", "complete"),
        ("r1,Tariq,Newcomer,mona@oak.example", "complete"),
        ("r1,Tariq,Newcomer,MONA@OAK.example", "complete"),
        ("r1,Mona,Prior,new@oak.example", "complete"),
        ("r2,Tariq,Newcomer,tariq@oak.example", "complete"),
    ],
)
def test_a_number_that_becomes_another_person_s_is_asked_about(
    institution: Institution, row: str, state: str
) -> None:
    institution.send("accounts", HEADER + MONA)
    job = institution.send("accounts", HEADER + row + "\n")
    assert job.state == state, job.reason
    if state == "held":
        (hold,) = job.hold_reasons
        assert (hold["code"], hold["count"]) == ("reused_keys", 1)
        (example,) = job.plan_detail["reused"]
        assert (example["line"], example["key"]) == (2, "r1")
        assert example["changes"]["LastName"][0] == "Prior"
        assert institution.release(job).state == "complete"


def test_a_number_given_out_again_after_its_person_was_removed_is_asked_about(
    institution: Institution,
) -> None:
    institution.send("accounts", HEADER + MONA)
    institution.send("accounts", HEADER + MONA, operation="remove")
    job = institution.send("accounts", HEADER + "r1,Tariq,Newcomer,tariq@oak.example\n")
    assert (job.state, codes(job)) == ("held", ["reused_keys"])


def test_demographics_are_known_by_their_birth_dates_too(institution: Institution) -> None:
    institution.load_campus("accounts")
    header = "ExternalId,PersonIdentifier,EffectiveOn,FirstName,LastName,DateOfBirth\n"
    start = "0001,0001,2026-08-24"
    first = f"{header}{start},Ada,Lovelace,2001-12-10\n"
    assert institution.send("student_demographics", first).state == "complete"
    same_birth = f"{header}{start},Augusta,King,2001-12-10\n"
    assert institution.send("student_demographics", same_birth).state == "complete"
    other = institution.send("student_demographics", f"{header}{start},Augusta,King,1999-01-02\n")
    assert other.state == "complete", "Only her date of birth is corrected."
    another = f"{header}{start},Tariq,Newcomer,2003-03-03\n"
    job = institution.send("student_demographics", another)
    assert (job.state, codes(job)) == ("held", ["reused_keys"]), job.reason


def test_a_course_s_number_given_to_another_course_is_asked_about(
    institution: Institution,
) -> None:
    institution.load_campus()
    header = "CourseIdentifier,Subject,Number,Title,OrgUnitIdentifier,Type\n"
    renamed = institution.send("courses", header + "BIO101,BIO,101,Life,SCI,Undergraduate\n")
    assert renamed.state == "complete"
    job = institution.send("courses", header + "BIO101,ART,7,Painting,SCI,Undergraduate\n")
    assert (job.state, codes(job)) == ("held", ["reused_keys"])


@pytest.mark.parametrize(
    ("record_type", "differ", "none_same"),
    [
        ("accounts", ("FirstName", "LastName"), ("Email",)),
        ("engage_users", ("FirstName", "LastName"), ("CampusEmail",)),
        ("courses", ("Subject", "Number", "Title"), ()),
        ("academic_programs", ("Name",), ()),
        ("beacon_connections", (), ()),
    ],
)
def test_what_tells_one_record_from_another(
    record_type: str, differ: tuple[str, ...], none_same: tuple[str, ...]
) -> None:
    identity = changes.identity(catalog().record_type(record_type))
    assert (identity.all_differ, identity.none_same) == (differ, none_same)


def test_a_type_of_one_s_own_is_known_by_its_whole_name_and_birthday() -> None:
    fields = (
        Field(name="Id"),
        Field(name="Full_Name"),
        Field(name="Birth Date", type=FieldType.DATE),
    )
    record_type = RecordType(name="x", pack="x", label="X", key=("Id",), fields=fields)
    identity = changes.identity(record_type)
    assert (identity.all_differ, identity.none_same) == (("Full_Name",), ("Birth Date",))
    assert identity.is_enough


# --- one field changes nearly everywhere --------------------------------------------------------


def test_a_column_that_holds_something_else_is_asked_about_by_name(
    institution: Institution,
) -> None:
    institution.send("accounts", people(200))
    job = institution.send("accounts", people(200, email="pa{n}@home.example"))
    assert (job.state, codes(job)) == ("held", ["same_field"])
    assert job.reason.startswith("Email would change in 200 of 200 stored records.")
    assert job.hold_reasons[0]["value"] == "Email"
    assert institution.release(job).state == "complete"


@pytest.mark.parametrize(
    ("stored", "changed", "state"),
    [(40, 20, "complete"), (40, 21, "held"), (8, FLOOR, "complete"), (8, FLOOR + 1, "held"),
     (3, 3, "complete")],
)  # fmt: skip
def test_half_of_the_records_may_change_in_one_field(
    institution: Institution, stored: int, changed: int, state: str
) -> None:
    institution.send("accounts", people(stored))
    file = HEADER + people(changed, first="New{n}")[len(HEADER) :]
    assert institution.send("accounts", file).state == state


def test_many_changes_in_different_fields_are_an_ordinary_night(institution: Institution) -> None:
    institution.send("accounts", people(20))
    lines = people(20).splitlines()
    rows = [
        line.replace("Vic", "New") if n % 2 else line.replace("@oak", "@elm")
        for n, line in enumerate(lines[1:])
    ]
    job = institution.send("accounts", "\n".join([lines[0], *rows]) + "\n")
    assert (job.state, job.rows_updated) == ("complete", 20), job.reason


def test_a_column_that_is_filled_for_the_first_time_is_no_change(institution: Institution) -> None:
    header = "OrgUnitIdentifier,Name,Acronym,ParentIdentifier,Type\n"
    units = [f"D{n},Dept {n},{{}},U,Department\n" for n in range(20)]
    root = "U,University,,,Institution\n"
    blank = header + root + "".join(unit.format("") for unit in units)
    filled = header + root + "".join(unit.format(f"A{n}") for n, unit in enumerate(units))
    assert institution.send("org_units", blank).state == "complete"
    assert institution.send("org_units", filled).rows_updated == 20
    job = institution.send("org_units", blank)
    assert (job.state, codes(job)) == ("held", ["same_field"]), "A column that lost its values."
    assert job.hold_reasons[0]["value"] == "Acronym"


def test_a_limit_says_that_a_field_may_change_each_night(institution: Institution) -> None:
    institution.send("accounts", people(20))
    file = people(20, email="n{n}@home.example")
    assert institution.send("accounts", file, limits={"same_field": "100%"}).state == "complete"


# --- leading zeros ------------------------------------------------------------------------------


def with_keys(*keys: str) -> str:
    rows = (f"{key},Ada{key},B{key},a{key}@oak.example\n" for key in keys)
    return HEADER + "".join(rows)


@pytest.mark.parametrize(
    ("stored", "sent", "zeros"),
    [
        (("0042", "0100"), ("42", "100"), 2),
        (("42",), ("0042",), 1),
        (("0042", "0100"), ("42", "200"), 1),
        (("0042",), ("0042", "200"), 0),
        (("00A1",), ("A1",), 1),
        (("0420",), ("42",), 0),
        (("4002",), ("42",), 0),
        (("00",), ("0",), 1),
        ((), ("42", "0042"), 0),
    ],
)
def test_identifiers_that_differ_by_leading_zeros_are_asked_about(
    institution: Institution, stored: tuple[str, ...], sent: tuple[str, ...], zeros: int
) -> None:
    if stored:
        assert institution.send("accounts", with_keys(*stored)).state == "complete"
    job = institution.send("accounts", with_keys(*sent))
    if not zeros:
        assert job.state == "complete", job.reason
        return
    assert (job.state, codes(job)) == ("held", ["lost_zeros"])
    assert job.hold_reasons[0]["count"] == zeros
    examples = job.plan_detail["zeros"]
    assert {(row["key"], row["stored"]) for row in examples} == {
        (key, other) for key in sent for other in stored if key.lstrip("0") == other.lstrip("0")
    }
    assert institution.release(job).state == "complete"


def test_many_new_rows_are_looked_up_like_a_few(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_FEW", 0)
    institution.send("accounts", with_keys("0042", "7", "A"))
    job = institution.send("accounts", with_keys("42", "007", "B"))
    assert (job.state, job.hold_reasons[0]["count"]) == ("held", 2)


def test_a_removed_record_s_zeros_do_not_matter(institution: Institution) -> None:
    institution.send("accounts", with_keys("0042", "1"))
    institution.send("accounts", with_keys("0042"), operation="remove")
    assert institution.send("accounts", with_keys("42")).state == "complete"


@pytest.mark.parametrize(
    ("record_type", "may"),
    [("accounts", True), ("sections", True), ("enrollments", False), ("instructors", False)],
)
def test_identifiers_of_other_records_are_checked_as_references(
    record_type: str, may: bool
) -> None:
    assert changes.may_lose_zeros(catalog().record_type(record_type)) is may


@pytest.mark.parametrize("name", sorted(set(DEFAULTS) - {"removes"}))
def test_each_default_may_be_lifted_for_a_template_or_a_drop(
    institution: Institution, name: str
) -> None:
    institution.send("accounts", with_keys(*(f"00{n}" for n in range(10, 20))) + MONA)
    files: dict[str, Any] = {
        "lost_zeros": with_keys("10"),
        "reused_keys": HEADER + "r1,Tariq,Newcomer,tariq@oak.example\n",
        "same_field": with_keys(*(f"00{n}" for n in range(10, 20))).replace("@oak", "@elm"),
    }
    assert institution.send("accounts", files[name], limits={name: "100%"}).state == "complete"
