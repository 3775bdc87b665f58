"""Files that spreadsheets and programs damaged, from folder to store: nothing stays silent."""

from __future__ import annotations

from tests.imports.institution import Institution, counts, issues

ACCOUNTS = "PersonIdentifier,FirstName,LastName,Email\n"


def test_identifiers_that_a_spreadsheet_destroyed_are_rejected_and_make_nobody(
    institution: Institution,
) -> None:
    rows = (
        "1.23457E+12,Ida,Summ,ida@oak.example\n1.23457E+12,Ivo,Summ,ivo@oak.example\n"
        "#N/A,Eli,Cell,err@oak.example\n#REF!,Eva,Two,err2@oak.example\n"
        "k1,Ann,Low,ann@oak.example\n"
    )
    job = institution.send("accounts", ACCOUNTS + rows)
    assert (job.state, counts(job)) == ("incomplete", {"read": 5, "created": 1, "rejected": 4})
    assert issues(job) == {("spreadsheet_damage", "PersonIdentifier"): 4}
    assert set(institution.records("accounts")) == {"k1"}


def test_guards_of_spreadsheets_come_off_and_meet_the_record_they_mean(
    institution: Institution,
) -> None:
    rows = "00031,Iris,Moreno,iris@oak.example\n@ann4,=Ann,-Low,ann2@oak.example\n"
    institution.send("accounts", ACCOUNTS + rows)
    rows = (
        '"=""00031""",Iris,Moreno,iris@oak.example\n\'@ann4,\'=Ann,\'-Low,ann2@oak.example\n'
        "'00032,Nils,Holm,nils@oak.example\n"
    )
    job = institution.send("accounts", ACCOUNTS + rows)
    assert (job.state, counts(job)) == ("complete", {"read": 3, "created": 1, "unchanged": 2})
    assert issues(job)["restored", "PersonIdentifier"] == 3
    assert set(institution.records("accounts")) == {"00031", "00032", "@ann4"}


def test_an_acronym_may_become_na_and_a_cleared_date_is_told(institution: Institution) -> None:
    header = "OrgUnitIdentifier,Name,Acronym,ParentIdentifier,Type\n"
    units = f"{header}OAK,Oak,,,Institution\nNAU,Nautics,NAX,OAK,School\n"
    institution.send("org_units", units)
    job = institution.send("org_units", units.replace("NAX", "NA"))
    assert counts(job) == {"read": 2, "updated": 1, "unchanged": 1}
    assert institution.records("org_units")["nau"]["Acronym"] == "NA"
    assert issues(job) == {("missing_word", "Acronym"): 1}
