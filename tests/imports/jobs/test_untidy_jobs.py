"""Files as they come: padded, with footers, stray quotes and other encodings, from end to end."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.storage import default_storage

from imports.mapping.parsing import parse
from imports.models import ImportJob, ImportTemplate
from imports.templates import actions
from imports.templates.rules import TemplateIdentity
from portal.changes import Actor
from tests.imports.institution import Institution, counts, issues

COLUMNS = ["PersonIdentifier", "FirstName", "LastName", "Email"]
HEADER = ",".join(COLUMNS) + "\n"
ROWS = [f"k{n},Iris,Moreno,iris{n}@oak.example\n" for n in range(15)]


def template(institution: Institution, **parts: Any) -> ImportTemplate:
    spec = parse(
        {
            "version": 1,
            "columns": COLUMNS,
            "fields": {name: {"columns": [name]} for name in COLUMNS},
            **parts,
        }
    )
    identity = TemplateIdentity(name="Staff", file_names=("Staff.csv",))
    actor = Actor(institution.person())
    return actions.create(institution.tenant, actor, identity, "accounts", spec)


def send(institution: Institution, staff: ImportTemplate, content: str | bytes) -> ImportJob:
    return institution.send("accounts", content, template_version=staff.current)


def warnings(job: ImportJob) -> dict[str, tuple[int, str]]:
    """Code to the number of warnings, and the first's message."""
    groups = job.issue_groups.filter(severity="warning")
    return {group.code: (group.count, group.message) for group in groups}


def test_a_stored_number_of_last_rows_removes_nobody_from_a_mirror(
    institution: Institution,
) -> None:
    staff = template(institution, reading={"skip_last": 1}, settings={"operation": "mirror"})
    first = send(institution, staff, HEADER + "".join(ROWS[:12]) + "Rows: 12,,,\n")
    assert (first.state, counts(first)) == ("complete", {"read": 12, "created": 12}), issues(first)
    number, message = warnings(first)["footer"]
    assert number == 1 and 'line 14: "Rows: 12,,,"' in message
    second = send(institution, staff, HEADER + "".join(ROWS))
    assert counts(second) == {"read": 15, "created": 3, "unchanged": 12}
    assert "footer" not in warnings(second)


def test_padding_holds_no_mirror(institution: Institution) -> None:
    staff = template(institution, settings={"operation": "mirror"})
    send(institution, staff, HEADER + "".join(ROWS))
    job = send(institution, staff, HEADER + "".join(ROWS[:14]) + ",,,\n" * 3 + '"",,,\n')
    assert (job.state, counts(job)) == ("complete", {"read": 14, "unchanged": 14, "removed": 1})
    assert warnings(job)["blank_rows"][0] == 4


def test_a_last_row_with_few_cells_is_imported(institution: Institution) -> None:
    job = institution.send(
        "accounts", HEADER + "".join(ROWS[:9]) + "guest-7,Nils,Holm,n@oak.example\nEnd,Ed,End,\n"
    )
    assert "guest-7" in institution.records("accounts")
    assert not warnings(job)
    assert job.rows_read == 11


@pytest.mark.parametrize("header", [HEADER, HEADER.replace("\n", ",\n")])
@pytest.mark.parametrize("end", ["\n", ",\n", ",,,\n"])
def test_delimiters_at_the_end_cost_no_row(institution: Institution, header: str, end: str) -> None:
    job = institution.send("accounts", header + "".join(ROWS).replace("\n", end))
    assert (job.state, counts(job)) == ("complete", {"read": 15, "created": 15}), issues(job)
    again = institution.send("accounts", header + "".join(ROWS).replace("\n", end))
    assert counts(again) == {"read": 15, "unchanged": 15}


def test_swallowed_rows_are_told_and_their_neighbours_imported(institution: Institution) -> None:
    job = institution.send(
        "accounts",
        HEADER + 's8a,"Sam,Open,s8a@oak.example\ns8b,Mid",Dale,s8b@oak.example\n' + ROWS[0],
    )
    assert (job.state, counts(job)) == ("incomplete", {"read": 3, "created": 1, "rejected": 2})
    lines = {line for group in job.issue_groups.all() for line, _ in group.examples}
    assert lines == {2, 3}


def test_nicknames_in_quotes_are_kept_and_told_whole(institution: Institution) -> None:
    lines = ['k1,Ann "Annie" Jo,Lee,a@oak.example\n', '"k2","Al "Bo" Cy","O"Hara",b@oak.example\n']
    job = institution.send("accounts", HEADER + "".join(lines) + ROWS[0])
    assert job.state == "complete"
    assert warnings(job)["inner_quotes"][0] == 2
    records = institution.records("accounts")
    assert records["k1"]["FirstName"] == 'Ann "Annie" Jo'
    assert (records["k2"]["FirstName"], records["k2"]["LastName"]) == ('Al "Bo" Cy', 'O"Hara')
    again = institution.send("accounts", HEADER + "".join(lines) + ROWS[0])
    assert counts(again) == {"read": 3, "unchanged": 3}


def test_a_row_in_quotes_and_a_drawn_line_are_told(institution: Institution) -> None:
    content = HEADER + "----,----,---,-----\n" + ROWS[0] + '"k1,""Lee, Jr"",Ann,a@oak.example"\n'
    job = institution.send("accounts", content)
    assert (job.state, counts(job)) == ("complete", {"read": 2, "created": 2})
    assert {code: count for code, (count, _) in warnings(job).items()} == {
        "blank_rows": 1,
        "inner_quotes": 1,
    }
    assert institution.records("accounts")["k1"]["FirstName"] == "Lee, Jr"


def test_one_row_in_another_encoding_costs_no_other(institution: Institution) -> None:
    content = (HEADER + "k1,José,Núñez,j@oak.example\n").encode()
    content += "k2,Aña,Çelïk Öz Müller Ñandú,a@oak.example\n".encode("cp1252")
    job = institution.send("accounts", content)
    assert (job.state, counts(job)) == ("incomplete", {"read": 2, "created": 1, "rejected": 1})
    assert institution.records("accounts")["k1"]["LastName"] == "Núñez"
    (group,) = job.issue_groups.all()
    assert (group.code, group.column) == ("bad_encoding", "FirstName")
    assert "byte F1 in cell 2, line 3" in group.message


def test_letters_that_names_do_not_have_are_a_warning(institution: Institution) -> None:
    job = institution.send("accounts", HEADER + "k1,JosÃ©,NÃºÃ±ez,j@oak.example\n" + ROWS[0])
    assert job.state == "complete"
    assert warnings(job)["unlikely_letters"][0] == 1


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "cp850", "cp1250"])
def test_the_sender_is_told_how_names_were_read_that_are_not_utf8(
    institution: Institution, encoding: str
) -> None:
    job = institution.send(
        "accounts", (HEADER + ROWS[0] + "k9,Jiří,Černý,j@x.org\n").encode(encoding, "ignore")
        if encoding == "cp1250" else (HEADER + "k9,José,Ibáñez,j@x.org\n").encode(encoding),
    )  # fmt: skip
    assert job.state == "complete"
    (group,) = job.issue_groups.filter(code="guessed_encoding")
    read = institution.records("accounts")["k9"]["FirstName"]
    assert f'"{read}"' in group.message and "UTF-8" in group.message


def test_a_guess_of_the_encoding_with_unlikely_letters_waits(institution: Institution) -> None:
    job = institution.send(
        "accounts", HEADER.encode() + "k1,Иван,Иванов,i@x.org\n".encode("cp1251")
    )
    assert job.state == "held"
    assert not institution.records("accounts")


def test_a_new_column_in_a_file_without_a_header_waits(institution: Institution) -> None:
    columns = [f"Column {number}" for number in range(1, 5)]
    fields = {name: {"columns": [at]} for name, at in zip(COLUMNS, columns, strict=True)}
    staff = template(institution, reading={"header_row": 0}, columns=columns, fields=fields)
    assert send(institution, staff, "".join(ROWS)).state == "complete"
    job = send(institution, staff, "".join(row.replace(",Moreno,", ",09,Moreno,") for row in ROWS))
    assert job.state == "held"
    assert "5 columns" in str(job.hold_reasons)


def test_a_late_reject_of_a_padded_row_keeps_its_cells(institution: Institution) -> None:
    """A row rejected across rows is read again from the file, where it is still padded."""
    rows = "".join(ROWS).replace("\n", ",,\n") + "k3,Other,Person,o@oak.example,,\n"
    job = institution.send("accounts", HEADER + rows)
    assert counts(job) == {"read": 16, "created": 15, "rejected": 1}
    with default_storage.open(job.attachment, "rb") as file:
        assert b"k3,Other,Person,o@oak.example,17" in file.read()
