"""Jobs that run with a template's version: its mapping, its settings, and what a person may say."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
import xlsxwriter

from imports.jobs import actions
from imports.mapping.parsing import parse
from imports.models import ImportJob, ImportTemplate
from imports.templates import actions as acts
from imports.templates.rules import TemplateIdentity
from portal.changes import Actor
from tests.imports.institution import Institution, counts, issues

FILE = "Nr;Vorname;Nachname;Mail\n7;ada;Lovelace;ada@example.edu\n8;emmy;Noether;emmy@example.edu\n"


def spec(**more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "columns": ["Nr", "Vorname", "Nachname", "Mail"],
        "fields": {
            "PersonIdentifier": {
                "columns": ["Nr"],
                "steps": [{"pad": {"width": 4, "with": "0", "side": "left"}}],
            },
            "FirstName": {"columns": ["Vorname"], "steps": [{"case": "title"}]},
            "LastName": {"columns": ["Nachname"]},
            "Email": {"columns": ["Mail"]},
        },
        **more,
    }


def template(institution: Institution, **more: Any) -> ImportTemplate:
    actor = Actor(institution.person())
    identity = TemplateIdentity(name="People", file_names=("people.csv",))
    return acts.create(institution.tenant, actor, identity, "accounts", parse(spec(**more)))


def send(
    institution: Institution, people: ImportTemplate, content: str = FILE, **more: Any
) -> ImportJob:
    return institution.send("accounts", content, template_version=people.current, **more)


def workbook(sheets: dict[str, list[list[str]]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return out.getvalue()


def test_a_job_runs_with_the_mapping_of_its_template(institution: Institution) -> None:
    job = send(institution, template(institution))
    assert (job.state, counts(job)) == ("complete", {"read": 2, "created": 2}), issues(job)
    assert institution.records("accounts")["0007"] == {
        "PersonIdentifier": "0007", "FirstName": "Ada", "LastName": "Lovelace",
        "Email": "ada@example.edu",
    }  # fmt: skip


def test_a_job_keeps_the_version_it_was_made_with(institution: Institution) -> None:
    people = template(institution)
    job = institution.job("accounts", FILE, template_version=people.current)
    changed = spec()
    changed["fields"]["FirstName"] = {"columns": ["Vorname"], "steps": [{"case": "upper"}]}
    acts.save(people, Actor(institution.person()), parse(changed), based_on=1)
    institution.work()
    job.refresh_from_db()
    assert (job.state, job.template_version.number) == ("complete", 1)
    assert institution.records("accounts")["0007"]["FirstName"] == "Ada"


def test_the_operation_and_the_limits_of_the_template_hold_for_its_jobs(
    institution: Institution,
) -> None:
    people = template(institution, settings={"operation": "mirror", "limits": {"removes": 0}})
    assert send(institution, people).state == "complete"
    held = send(institution, people, FILE.rsplit("8;", 1)[0])
    assert (held.state, held.rows_removed) == ("held", 1)
    assert held.limits == {}, "What the template says is not what a drop or a person says."
    assert institution.release(held, limits={"removes": 5}).state == "complete"
    assert list(institution.records("accounts")) == ["0007"]


def test_a_mirror_only_removes_within_the_scope_of_its_template(institution: Institution) -> None:
    people = template(institution, settings={"operation": "mirror", "absent_scope": "LastName"})
    assert send(institution, people).state == "complete"
    other = FILE.split("\n", 1)[0] + "\n9;augusta;Lovelace;aug@example.edu\n"
    job = send(institution, people, other)
    assert (job.state, counts(job)) == ("complete", {"read": 1, "created": 1, "removed": 1})
    assert sorted(institution.records("accounts")) == ["0008", "0009"]


def test_limits_per_value_come_from_the_template(institution: Institution) -> None:
    per = {"field": "LastName", "limits": {"creates": 1}}
    people = template(institution, settings={"limits_per": per})
    job = send(institution, people, FILE + "9;x;Lovelace;x@example.edu\n")
    assert job.state == "held"
    assert [hold["value"] for hold in job.hold_reasons] == ["Lovelace"]


def test_what_a_drop_or_a_person_says_goes_before_the_template(institution: Institution) -> None:
    people = template(institution, settings={"operation": "mirror", "limits": {"creates": 0}})
    job = send(institution, people, limits={"creates": 9}, operation="upsert")
    assert job.state == "complete"


def test_blank_cells_clear_where_the_template_says_so(institution: Institution) -> None:
    with_title = spec(settings={"blank": "clear"})
    actor = Actor(institution.person())
    identity = TemplateIdentity(name="People")
    people = acts.create(institution.tenant, actor, identity, "accounts", parse(with_title))
    assert send(institution, people).state == "complete"


def test_own_fields_are_stored_in_the_record(institution: Institution) -> None:
    more = spec(own_fields=[{"name": "House", "type": "text", "label": "House"}])
    more["columns"] = [*more["columns"], "Haus"]
    more["fields"]["House"] = {"columns": ["Haus"]}
    actor = Actor(institution.person())
    people = acts.create(
        institution.tenant, actor, TemplateIdentity(name="P"), "accounts", parse(more)
    )
    file = "Nr;Vorname;Nachname;Mail;Haus\n7;ada;Lovelace;ada@example.edu;Blue\n"
    job = send(institution, people, file)
    assert job.state == "complete", (job.reason, issues(job))
    assert institution.records("accounts")["0007"]["House"] == "Blue"


def test_files_are_kept_as_long_as_the_template_says(institution: Institution) -> None:
    job = send(institution, template(institution, settings={"keep_days": 3}))
    assert job.kept_until == job.created_at + timedelta(days=3)


def test_a_file_that_lacks_a_column_is_held_and_runs_with_the_corrected_template(
    institution: Institution,
) -> None:
    people = template(institution, settings={"missing_columns": "hold"})
    file = FILE.replace("Mail", "E-Mail-Adresse", 1)
    held = send(institution, people, file)
    assert held.state == "held", held.reason
    assert [hold["code"] for hold in held.hold_reasons] == ["missing_columns"]
    assert counts(held) == {}
    again = institution.release(held)
    assert again.state == "held", "It still lacks the column."
    better = spec(columns=["Nr", "Vorname", "Nachname", "E-Mail-Adresse"])
    better["fields"]["Email"] = {"columns": ["E-Mail-Adresse"]}
    acts.save(people, Actor(institution.person()), parse(better), based_on=1)
    done = institution.release(again)
    assert (done.state, counts(done)) == ("complete", {"read": 2, "created": 2}), done.reason
    assert done.template_version.number == 2


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ({"limits": {"creates": 1000}}, {"limits": {"creates": 0}}, "creates"),
        ({}, {"limits": {"creates": 1}}, "creates"),
        (
            {"limits_per": {"field": "LastName", "limits": {"creates": 9}}},
            {"limits_per": {"field": "LastName", "limits": {"creates": 0}}},
            "creates_per_value",
        ),
    ],
)
def test_a_corrected_template_s_limits_hold_for_the_file_that_was_held_for_it(
    institution: Institution, before: dict[str, Any], after: dict[str, Any], code: str
) -> None:
    people = template(institution, settings={"missing_columns": "hold", **before})
    held = send(institution, people, FILE.replace("Mail", "E-Mail", 1))
    assert [hold["code"] for hold in held.hold_reasons] == ["missing_columns"]
    better = spec(columns=["Nr", "Vorname", "Nachname", "E-Mail"], settings=after)
    better["fields"]["Email"] = {"columns": ["E-Mail"]}
    acts.save(people, Actor(institution.person()), parse(better), based_on=1)
    again = institution.release(held)
    assert again.state == "held", again.reason
    assert {hold["code"] for hold in again.hold_reasons} == {code}
    assert institution.records("accounts") == {}


def test_a_corrected_template_may_drop_its_scope_and_its_limits(institution: Institution) -> None:
    """What the first version said is not kept in the job: neither where nothing replaces it."""
    first = {"missing_columns": "hold", "limits": {"creates": 0}, "keep_days": 3}
    people = template(institution, settings=first)
    held = send(institution, people, FILE.replace("Mail", "E-Mail", 1))
    better = spec(columns=["Nr", "Vorname", "Nachname", "E-Mail"])
    better["fields"]["Email"] = {"columns": ["E-Mail"]}
    acts.save(people, Actor(institution.person()), parse(better), based_on=1)
    done = institution.release(held)
    assert (done.state, done.rows_created) == ("complete", 2), done.reason
    assert done.kept_until > done.created_at + timedelta(days=4)


def test_a_limit_of_the_drop_holds_whatever_a_corrected_template_says(
    institution: Institution,
) -> None:
    people = template(institution, settings={"missing_columns": "hold"})
    held = send(institution, people, FILE.replace("Mail", "E-Mail", 1), limits={"creates": 1})
    better = spec(columns=["Nr", "Vorname", "Nachname", "E-Mail"])
    better["fields"]["Email"] = {"columns": ["E-Mail"]}
    better["settings"] = {"limits": {"creates": 50}}
    acts.save(people, Actor(institution.person()), parse(better), based_on=1)
    assert institution.release(held).state == "held"


def test_a_file_with_a_new_column_is_held_once_and_not_for_ever(institution: Institution) -> None:
    people = template(institution, settings={"unknown_columns": "hold"})
    file = FILE.replace("Mail\n", "Mail;Haus\n", 1).replace(".edu\n", ".edu;Blue\n")
    held = send(institution, people, file)
    assert [hold["code"] for hold in held.hold_reasons] == ["header"], held.reason
    done = institution.release(held)
    assert (done.state, done.rows_created) == ("complete", 2), done.reason


def test_a_version_that_cannot_be_read_refuses_the_file_in_words(institution: Institution) -> None:
    people = template(institution)
    people.versions.update(spec={"version": 9})
    job = send(institution, people)
    assert (job.state, job.fault) == ("failed", "sender")
    assert "Correct the template." in job.reason


def test_a_replay_is_a_dry_run_of_the_same_file(institution: Institution) -> None:
    people = template(institution)
    past = send(institution, people)
    asked = acts.replay(people.current, Actor(institution.person()), past)
    before = institution.writes()
    institution.work()
    asked.refresh_from_db()
    assert (asked.state, counts(asked)) == ("planned", {"read": 2, "unchanged": 2})
    assert institution.writes() == before
    assert (asked.content, asked.kept_until) == (past.content, past.kept_until)


@pytest.mark.parametrize("limit", ["size_change"])
def test_the_size_is_compared_with_files_of_the_same_template(
    institution: Institution, limit: str
) -> None:
    people = template(institution, settings={"limits": {limit: "10%", "lost_zeros": 9}})
    big = "PersonIdentifier,FirstName,LastName,Email\n" + "".join(
        f"{n:05},A,B{n},p{n}@example.edu\n" for n in range(100)
    )
    assert institution.send("accounts", big).state == "complete"
    assert send(institution, people).state == "complete"
    assert send(institution, people, FILE * 1 + "9;x;Y;x@example.edu\n").state == "held"


def test_a_sheet_of_a_workbook_is_imported(institution: Institution) -> None:
    people = template(institution, reading={"sheet": "People", "encoding": "cp1252"})
    rows = [line.split(";") for line in FILE.splitlines()]
    book = workbook({"Notes": [["hello"]], "People": rows})
    job = institution.send("accounts", book, template_version=people.current)
    assert (job.state, counts(job)) == ("complete", {"read": 2, "created": 2}), job.reason
    assert sorted(institution.records("accounts")) == ["0007", "0008"]


def test_a_workbook_without_the_sheet_is_refused_in_words(institution: Institution) -> None:
    people = template(institution, reading={"sheet": "Staff"})
    book = workbook({"Notes": [["hello"]]})
    job = institution.send("accounts", book, template_version=people.current)
    assert (job.state, job.fault) == ("failed", "sender")
    assert "Staff" in job.reason


def test_the_same_bytes_parted_by_another_sign_are_another_row(institution: Institution) -> None:
    """Both a comma and a semicolon make four cells of this row, under headers of the same names."""
    row = "1;a,2;b,3;c,4\n"
    fields = {
        "PersonIdentifier": {"columns": ["Nr"]},
        "FirstName": {"columns": ["Vorname"]},
        "LastName": {"columns": ["Mail"]},
        "Email": {"constant": "x@example.edu"},
    }
    names = ["Nr", "Vorname", "Nachname", "Mail"]
    people = template(institution, fields=fields)
    first = send(institution, people, ",".join(names) + "\n" + row)
    assert counts(first) == {"read": 1, "created": 1}, issues(first)
    other = send(institution, people, ";".join(names) + "\n" + row)
    assert counts(other) == {"read": 1, "created": 1}, issues(other)
    assert institution.records("accounts")["1"]["LastName"] == "c,4"


def test_a_held_job_has_newer_rules_when_its_template_has_a_newer_version(
    institution: Institution,
) -> None:
    people = template(institution, settings={"limits": {"creates": 0}})
    held = send(institution, people)
    assert (held.state, actions.has_newer_rules(held)) == ("held", False)
    acts.save(people, Actor(institution.person()), parse(spec()), based_on=1)
    held = ImportJob.objects.get(pk=held.pk)
    assert actions.has_newer_rules(held)
    ImportTemplate.objects.update(current=None)
    assert not actions.has_newer_rules(ImportJob.objects.get(pk=held.pk))
