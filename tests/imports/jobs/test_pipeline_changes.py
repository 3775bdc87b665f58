"""What a later file does to stored records: change, keep, clear, add, remove, bring back."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import polars as pl
import pytest
from django.db import connection, transaction

from imports.jobs import instructions
from imports.load import staging
from portal.models import Record, RecordChange
from portal.records.catalog import Catalog, catalog
from portal.records.definitions import Blank
from tests.imports.institution import CAMPUS, Institution, counts, issues, rejected

ACCOUNTS = "PersonIdentifier,FirstName,LastName,Email\n"
ENROLLMENTS = "PersonIdentifier,SectionIdentifier,Status\n"
INSTRUCTORS = "PersonIdentifier,SectionIdentifier,Role\n0001,S1,Primary\n0002,S2,Secondary\n"
PROGRAMS = "ProgramIdentifier,OrgUnitIdentifier,Name,Type,CourseIdentifiers\n"


def test_only_the_rows_that_changed_are_written(institution: Institution) -> None:
    institution.load_campus("accounts")
    before, _ = institution.writes()
    job = institution.send("accounts", CAMPUS["accounts"].replace("Noether", "N."))
    after, changes = institution.writes()
    assert counts(job) == {"read": 3, "updated": 1, "unchanged": 2}
    assert (len(after - before), len(after & before), changes) == (1, 2, 1)
    assert institution.records("accounts")["0002"]["LastName"] == "N."


def test_the_same_bytes_read_with_another_delimiter_are_another_row(
    institution: Institution,
) -> None:
    row = "1;2,A;B,C;D,x@y.org\n"
    assert institution.send("accounts", ACCOUNTS + row).state == "complete"
    job = institution.send("accounts", ACCOUNTS.replace(",", ";") + row)
    assert counts(job) == {"read": 1, "rejected": 1}


def test_an_identical_file_is_skipped_before_anything_is_staged(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    institution.load_campus("accounts")
    staged: list[int] = []
    write = staging.Writer.write

    def counted(writer: staging.Writer, frame: pl.DataFrame) -> None:
        staged.append(frame.height)
        write(writer, frame)

    monkeypatch.setattr(staging.Writer, "write", counted)
    assert counts(institution.send("accounts", CAMPUS["accounts"])) == {"read": 3, "unchanged": 3}
    assert sum(staged) == 0
    institution.send("accounts", CAMPUS["accounts"].replace("Noether", "N."))
    assert sum(staged) == 1
    spelled = CAMPUS["accounts"].replace("Noether", "N.").replace("Turing", '"Turing"')
    for _ in range(2):
        assert counts(institution.send("accounts", spelled)) == {"read": 3, "unchanged": 3}
    assert sum(staged) == 2, "A row that is only spelled in another way is compared once."


def test_the_change_log_holds_what_was_replaced(institution: Institution) -> None:
    first = institution.send("accounts", CAMPUS["accounts"])
    old = institution.records("accounts")["0002"]
    job = institution.send("accounts", CAMPUS["accounts"].replace("Noether", "N."))
    (change,) = RecordChange.objects.all()
    assert (change.job_id, change.data, change.active) == (job.pk, old, True)
    assert change.changed_job == first.pk
    assert change.source_hash is not None


def test_columns_may_come_in_any_order_and_case(institution: Institution) -> None:
    job = institution.send("accounts", "EMAIL,personidentifier,LastName,FirstName\nx@y.org,1,B,A\n")
    assert counts(job) == {"read": 1, "created": 1}
    assert institution.records("accounts")["1"] == {
        "PersonIdentifier": "1",
        "FirstName": "A",
        "LastName": "B",
        "Email": "x@y.org",
    }


def test_a_blank_cell_keeps_the_stored_value_where_the_feed_says_so(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the built-in feeds only accounts keep, and no field of theirs may be blank."""
    packs = [
        replace(pack, feeds=tuple(replace(feed, blank=Blank.KEEP) for feed in pack.feeds))
        for pack in catalog().packs
    ]
    monkeypatch.setattr(instructions, "catalog", lambda: Catalog(packs))
    institution.load_campus()
    header, first, _ = CAMPUS["courses"].splitlines()
    job = institution.send(
        "courses", f"{header}\n{first.replace('Cells', '').replace('Biology I', 'Renamed')}\n"
    )
    assert counts(job) == {"read": 1, "updated": 1}
    stored = institution.records("courses")
    assert (stored["bio101"]["Description"], stored["bio101"]["Title"]) == ("Cells", "Renamed")
    assert "Description" not in stored["bio102"]
    institution.send("sections", CAMPUS["sections"].replace("Online,XL-1", "Online,"))
    assert institution.records("sections")["s1"]["CrossListingIdentifier"] is None


def test_a_blank_cell_clears_elsewhere_and_a_missing_column_keeps(institution: Institution) -> None:
    institution.load_campus("accounts", "org_units", "academic_terms", "courses")
    header, first, _ = CAMPUS["courses"].splitlines()
    institution.send("courses", f"{header}\n{first.replace('Cells', '').replace('3.5', '')}\n")
    course = institution.records("courses")["bio101"]
    assert (course["Description"], course["Credits"], course["CIPCode"]) == (None, None, "26.0101")
    institution.send(
        "courses",
        "CourseIdentifier,Subject,Number,Title,OrgUnitIdentifier,Type\n"
        "BIO101,BIO,101,Renamed,SCI,Graduate\n",
    )
    course = institution.records("courses")["bio101"]
    assert (course["Title"], course["CIPCode"]) == ("Renamed", "26.0101")


def test_a_blank_cross_listing_takes_the_section_out_of_its_group(institution: Institution) -> None:
    institution.load_campus()
    institution.send("sections", CAMPUS["sections"].replace("Online,XL-1", "Online,"))
    stored = institution.records("sections")
    assert stored["s1"]["CrossListingIdentifier"] is None
    assert stored["s2"]["CrossListingIdentifier"] == "XL-1"


def test_section_attributes_are_only_added(institution: Institution) -> None:
    institution.load_campus()
    header = "Identifier,Key,Value\n"
    first = institution.send("section_attributes", f"{header}S1,Honors,Honors\nS1,Honors,Honors\n")
    assert (first.state, issues(first)) == ("complete", {})
    assert counts(first) == {"read": 2, "created": 1, "unchanged": 1}
    before = institution.writes()
    again = institution.send(
        "section_attributes", f"{header}s1,HONORS,honors\nS1,Honors,Honors\nS1,Honors,Honors\n"
    )
    assert counts(again) == {"read": 3, "unchanged": 3}
    assert institution.writes() == before
    other = institution.send("section_attributes", f"{header}S2,Lab,Yes\n")
    assert counts(other) == {"read": 1, "created": 1}
    assert len(institution.records("section_attributes")) == 2


def test_enrollments_change_their_status_and_are_never_removed(institution: Institution) -> None:
    institution.load_campus()
    institution.send("enrollments", f"{ENROLLMENTS}0001,S1,Enrolled\n0002,S1,Enrolled\n")
    job = institution.send("enrollments", f"{ENROLLMENTS}0001,s1,WITHDRAWN\n")
    assert counts(job) == {"read": 1, "updated": 1}
    stored = institution.records("enrollments")
    assert {key: row["Status"] for key, row in stored.items()} == {
        "0001\x1fs1": "Withdrawn",
        "0002\x1fs1": "Enrolled",
    }


def test_instructors_are_removed_by_their_own_feed_only(institution: Institution) -> None:
    institution.load_campus()
    institution.send("instructors", INSTRUCTORS)
    job = institution.send(
        "remove_instructors", "PersonIdentifier,SectionIdentifier\n0001,s1\n0003,S1\n0002,S1\n"
    )
    assert job.state == "incomplete"
    assert counts(job) == {"read": 3, "removed": 1, "rejected": 2}
    assert issues(job) == {("unknown_key", "PersonIdentifier"): 2}
    assert [row["_line"] for row in rejected(job)] == ["3", "4"]
    assert list(institution.records("instructors")) == ["0002\x1fs2"]
    assert list(institution.records("instructors", active=False)) == ["0001\x1fs1"]


def test_an_assignment_is_not_removed_twice(institution: Institution) -> None:
    institution.load_campus()
    institution.send("instructors", INSTRUCTORS)
    rows = "PersonIdentifier,SectionIdentifier\n0001,S1\n"
    assert counts(institution.send("remove_instructors", rows)) == {"read": 1, "removed": 1}
    again = institution.send("remove_instructors", rows)
    assert (again.state, counts(again)) == ("failed", {"read": 1, "rejected": 1})


def test_a_removal_is_dated(institution: Institution) -> None:
    institution.load_campus()
    institution.send("instructors", INSTRUCTORS)
    before = Record.objects.get(key="0001\x1fs1").changed_at
    institution.send("remove_instructors", "PersonIdentifier,SectionIdentifier\n0001,S1\n")
    removed = Record.objects.get(key="0001\x1fs1")
    assert (removed.active, removed.changed_at > before) == (False, True)
    stays = Record.objects.get(key="0002\x1fs2")
    assert stays.changed_at == before


def test_a_removed_record_that_is_sent_again_is_active_again(institution: Institution) -> None:
    institution.load_campus()
    institution.send("instructors", INSTRUCTORS)
    institution.send("remove_instructors", "PersonIdentifier,SectionIdentifier\n0001,S1\n")
    job = institution.send("instructors", INSTRUCTORS)
    assert counts(job) == {"read": 2, "updated": 1, "unchanged": 1}
    assert len(institution.records("instructors")) == 2
    assert RecordChange.objects.get(job_id=job.pk).active is False


def test_a_program_replaces_its_list_of_courses(institution: Institution) -> None:
    institution.load_campus()
    institution.send("academic_programs", f'{PROGRAMS}P,SCI,Biology,Graduate,"BIO101|BIO102"\n')
    institution.send("academic_programs", f"{PROGRAMS}P,SCI,Biology,Graduate,bio102\n")
    assert institution.records("academic_programs")["p"]["CourseIdentifiers"] == ["bio102"]


def test_a_program_may_have_its_courses_in_cells_of_their_own(institution: Institution) -> None:
    institution.load_campus()
    file = f"{PROGRAMS}P,SCI,Biology,Graduate,BIO101,BIO102\nQ,SCI,Law,Graduate,BIO101,NOPE,,\n"
    job = institution.send("academic_programs", file)
    assert job.state == "incomplete"
    stored = institution.records("academic_programs")
    assert stored["p"]["CourseIdentifiers"] == ["BIO101", "BIO102"]
    (row,) = rejected(job)
    assert row["ProgramIdentifier"] == "Q"
    assert "NOPE" in row["_error"]
    assert row["CourseIdentifiers"].startswith("BIO101,NOPE")


@pytest.mark.parametrize("feed", ["student_demographics", "faculty_demographics"])
def test_demographics_are_for_existing_accounts_only(institution: Institution, feed: str) -> None:
    institution.load_campus("accounts")
    header = "ExternalId,PersonIdentifier,EffectiveOn,FirstName,LastName\n"
    job = institution.send(feed, f"{header}0001,0001,2026-01-01,A,B\n9,9,2026-01-01,A,B\n")
    assert counts(job) == {"read": 2, "created": 1, "rejected": 1}
    assert issues(job) == {("unknown_reference", "PersonIdentifier"): 1}
    snapshot = institution.send(feed, f"{header}0001,0001,2026-06-01,A,B\n")
    assert counts(snapshot) == {"read": 1, "created": 1}
    assert len(institution.records(feed)) == 2


def test_leading_zeros_and_case_of_keys(institution: Institution) -> None:
    institution.send("accounts", f"{ACCOUNTS}007,A,B,a@b.org\n7,C,D,c@d.org\nabc,E,F,e@f.org\n")
    job = institution.send("accounts", f"{ACCOUNTS}ABC,E,F,e@f.org\n")
    assert counts(job) == {"read": 1, "updated": 1}
    stored = institution.records("accounts")
    assert set(stored) == {"007", "7", "abc"}
    assert stored["abc"]["PersonIdentifier"] == "ABC"


@pytest.mark.parametrize("token", ["", " "])
def test_a_blank_name_is_no_value(institution: Institution, token: str) -> None:
    job = institution.send("accounts", f"{ACCOUNTS}1,{token},B,a@b.org\n2,Null,B,a@b.org\n")
    assert issues(job) == {("required", "FirstName"): 1}
    assert institution.records("accounts")["2"]["FirstName"] == "Null"


@pytest.mark.parametrize("token", ["NULL", "NA", "N/A", "na", "n/a", "None"])
def test_names_and_keys_may_be_words_that_elsewhere_stand_for_nothing(
    institution: Institution, token: str
) -> None:
    job = institution.send("accounts", f"{ACCOUNTS}{token},{token},{token},a@b.org\n")
    assert (job.state, counts(job)) == ("complete", {"read": 1, "created": 1})
    assert institution.records("accounts")[token.lower()]["LastName"] == token


def test_invisible_characters_and_normal_forms_make_no_second_person(
    institution: Institution,
) -> None:
    institution.load_campus("accounts", "org_units", "academic_terms", "courses", "sections")
    keys = ["k2b\u200b", "\ufeffk2c", "k2\u00ade", "rene\u0301e.k", "k2\u00a0f"]
    rows = [f"{key},Ana,Silva,a@oak.example" for key in keys]
    job = institution.send("accounts", ACCOUNTS + "\n".join(rows) + "\n")
    assert counts(job) == {"read": 5, "created": 5}
    clean = ["k2b", "k2c", "k2e", "ren\u00e9e.k", "k2 f"]
    rows = [f"{key},Ana,Silva,a@oak.example" for key in clean]
    job = institution.send("accounts", ACCOUNTS + "\n".join(rows) + "\n")
    assert counts(job) == {"read": 5, "unchanged": 5}
    job = institution.send("enrollments", f"{ENROLLMENTS}rene\u0301e.k\u200b,S1,Enrolled\n")
    assert (job.state, counts(job)) == ("complete", {"read": 1, "created": 1})
    job = institution.send("enrollments", f"{ENROLLMENTS}ren\u00e9e.k,S1,Enrolled\n")
    assert counts(job) == {"read": 1, "unchanged": 1}


def test_keys_that_were_stored_in_another_form_are_found_after_the_migration(
    institution: Institution,
) -> None:
    content = f"{ACCOUNTS}ren\u00e9e.k,A,B,a@b.org\nk2b,C,D,c@d.org\nk2c,E,F,e@f.org\n"
    institution.send("accounts", content)
    stored = Record.objects.filter(tenant=institution.tenant)
    stored.filter(key="ren\u00e9e.k").update(key="rene\u0301e.k", source_hash=1)
    stored.filter(key="k2b").update(key="k2b\u200b", source_hash=2)
    first = stored.get(key="k2c")
    Record.objects.create(
        tenant=institution.tenant, kind_id=first.kind_id, key="k2c\ufeff", data=first.data
    )
    migration = import_module("imports.migrations.0005_keys_as_people_read_them")
    with transaction.atomic(), connection.schema_editor() as editor:
        migration.fold_keys(None, editor)
    keys = set(stored.values_list("key", flat=True))
    assert keys == {"ren\u00e9e.k", "k2b", "k2c", "k2c\ufeff"}
    assert counts(institution.send("accounts", content)) == {"read": 3, "unchanged": 3}


TERMS = "TermIdentifier,Name,BeginDate,EndDate,ParentIdentifier,Type\n"


def dates(institution: Institution) -> list[tuple[str, str]]:
    terms = institution.records("academic_terms")
    return [(terms[key]["BeginDate"], terms[key]["EndDate"]) for key in sorted(terms)]


def test_dates_that_are_proven_day_first_are_never_stored_month_first(
    institution: Institution,
) -> None:
    rows = "T1,One,04/01/2027,30/06/2027,,Annual\nT2,Two,05/02/2027,31/07/2027,,Annual\n"
    job = institution.send("academic_terms", TERMS + rows)
    assert (job.state, issues(job)) == ("complete", {("date_order", "BeginDate"): 1})
    expected = [("2027-01-04", "2027-06-30"), ("2027-02-05", "2027-07-31")]
    assert dates(institution) == expected
    assert job.dialect["proven"] == {"EndDate": True}
    # The same bytes are the same records; a file that proves nothing is read as the last one was.
    assert counts(institution.send("academic_terms", TERMS + rows)) == {"read": 2, "unchanged": 2}
    job = institution.send("academic_terms", f"{TERMS}T3,Three,04/01/2027,05/06/2027,,Annual\n")
    assert dates(institution)[2] == ("2027-01-04", "2027-06-05")
    assert "the last file was written so" in job.issue_groups.get(column="EndDate").message


@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_term_lies_inside_the_dates_of_the_term_above_it(
    institution: Institution, in_one_file: bool
) -> None:
    year = "Y,Year,2026-08-01,2027-07-31,,Annual\n"
    rows = (
        "A,Fits,2026-08-01,2027-07-31,Y,Semester\nB,Early,2026-07-31,2026-12-01,Y,Semester\n"
        "C,Late,2027-02-01,2027-08-01T00:00:00Z,y,Semester\nD,Below,2026-09-01,2027-09-01,A,Session\n"
    )
    if not in_one_file:
        institution.send("academic_terms", TERMS + year)
    job = institution.send("academic_terms", TERMS + (year if in_one_file else "") + rows)
    assert set(institution.records("academic_terms")) == {"y", "a"}
    assert issues(job) == {("outside_parent", "BeginDate"): 1, ("outside_parent", "EndDate"): 2}


def test_a_term_may_move_together_with_the_term_above_it(institution: Institution) -> None:
    first = "Y,Year,2026-08-01,2027-07-31,,Annual\nA,Fall,2026-08-01,2026-12-01,Y,Semester\n"
    institution.send("academic_terms", TERMS + first)
    job = institution.send("academic_terms", TERMS + first.replace("2026", "2025"))
    assert (job.state, counts(job)) == ("complete", {"read": 2, "updated": 2})


def test_engage_rows_say_what_to_do(institution: Institution) -> None:
    header = "Action,Username,FirstName,LastName,CampusEmail\n"
    institution.send("engage_users", f"{header}add,a,A,B,a@b.org\nUPDATE,b,A,B,b@b.org\n")
    job = institution.send(
        "engage_users",
        f"{header}Delete,A,,,\nUpdate,b,A,New,b@b.org\n,c,A,B,c@c.org\nDrop,d,A,B,d@d.org\n"
        "Delete,z,,,\n",
    )
    assert counts(job) == {"read": 5, "updated": 1, "removed": 1, "rejected": 3}
    assert issues(job) == {
        ("required", "Action"): 1,
        ("not_in_list", "Action"): 1,
        ("unknown_key", "Username"): 1,
    }
    assert {key: row["LastName"] for key, row in institution.records("engage_users").items()} == {
        "b": "New"
    }


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Username,Action,FirstName,LastName,CampusEmail", "wrong_column_order"),
        ("Action,Username,FirstName,CampusEmail", "missing_column"),
        ("Username,FirstName,LastName,CampusEmail", "missing_column"),
    ],
)
def test_engage_wants_every_column_in_order(
    institution: Institution, header: str, code: str
) -> None:
    job = institution.send("engage_users", header + "\n" + "x," * header.count(",") + "x\n")
    assert job.state == "failed"
    assert [group.code for group in job.issue_groups.all()] == [code]


def test_beacon_connects_and_disconnects(institution: Institution) -> None:
    institution.load_campus("accounts")
    header = "AdvisorExternalID,ExternalID,Action\n"
    institution.send("beacon_connections", f"{header}0001,0002,\n0001,0003,connect\n")
    job = institution.send(
        "beacon_connections", f"{header}0001,0002,Disconnect\n0001,0003,\n0003,0001,DISCONNECT\n"
    )
    assert counts(job) == {"read": 3, "removed": 1, "unchanged": 1, "rejected": 1}
    assert list(institution.records("beacon_connections")) == ["0001\x1f0003"]
