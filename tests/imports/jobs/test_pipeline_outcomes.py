"""How a job ends: complete, incomplete, failed, held, planned, and what the sender is told."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.files.storage import default_storage

from imports.jobs import outcome
from imports.models import ImportJob
from tests.imports.institution import (
    CAMPUS,
    Institution,
    attached,
    counts,
    issues,
    rejected,
    states,
)

HEADER = "PersonIdentifier,FirstName,LastName,Email\n"


def accounts(*numbers: int) -> str:
    return HEADER + "".join(f"{n:05},Ada {n},Byron,p{n}@example.edu\n" for n in numbers)


def archive(name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as out:
        out.writestr(name, "<xml/>")
    return target.getvalue()


def test_an_incomplete_file_has_its_numbers_its_issues_and_its_rejected_rows(
    institution: Institution,
) -> None:
    institution.load_campus("accounts")
    job = institution.send(
        "accounts",
        f"{HEADER}0001,Ada,Lovelace,ada@example.edu\n0002,Emmy,N.,emmy@example.edu\n"
        "0009,New,One,new@example.edu\n0009,New,Two,two@example.edu\n,=Ann,X,nowhere\n4,short\n",
    )
    assert job.state == "incomplete"
    assert job.reason == "3 of 6 rows were rejected."
    assert counts(job) == {"read": 6, "created": 1, "updated": 1, "unchanged": 1, "rejected": 3}
    assert issues(job) == {
        ("duplicate_key", "PersonIdentifier"): 1,
        ("required", "PersonIdentifier"): 1,
        ("not_an_email", "Email"): 1,
        ("too_few_cells", ""): 1,
    }
    rows = rejected(job)
    assert list(rows[0]) == [*HEADER.strip().split(","), "_line", "_column", "_code", "_error"]
    assert [(row["_line"], row["_code"]) for row in rows] == [
        ("5", "duplicate_key"),
        ("6", "required; not_an_email"),
        ("7", "too_few_cells"),
    ]
    assert rows[1]["FirstName"] == "'=Ann"
    assert "line 4" in rows[0]["_error"]


def test_issues_carry_examples_with_their_lines(institution: Institution) -> None:
    job = institution.send("accounts", HEADER + "".join(f"{n},A,B,x{n}\n" for n in range(7)))
    (group,) = job.issue_groups.all()
    assert (group.count, group.severity) == (7, "error")
    assert group.examples == [[n + 2, f"x{n}"] for n in range(5)]


def test_a_file_without_one_good_row_has_failed_and_changed_nothing(
    institution: Institution,
) -> None:
    institution.load_campus("accounts")
    before = institution.writes()
    job = institution.send("accounts", f"{HEADER}1,A,B,no\n2,,B,a@b.org\n")
    assert (job.state, job.fault) == ("failed", "sender")
    assert counts(job) == {"read": 2, "rejected": 2}
    assert len(rejected(job)) == 2
    assert institution.writes() == before


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PersonIdentifer,FirstName,LastName,Email\n1,2,3,4\n", "missing_column"),
        (b"FirstName,FIRSTNAME,PersonIdentifier,LastName,Email\n", "duplicate_column"),
        (b"", "empty_file"),
        (b"\r\n \n", "empty_file"),
        (archive("xl/workbook.xml"), "spreadsheet"),
        (archive("accounts.csv"), "archive"),
        (bytes(range(256)) * 40, "not_text"),
        (b"%PDF-1.7\n", "not_text"),
        (b"Person\0Identifier,FirstName\n", "unreadable_header"),
        (b'PersonIdentifier,"FirstName\n1,2\n', "missing_column"),
    ],
)
def test_a_file_that_is_none_has_failed_by_the_sender(
    institution: Institution, content: bytes, code: str
) -> None:
    job = institution.send("accounts", content)
    assert (job.state, job.fault) == ("failed", "sender")
    assert code in {group.code for group in job.issue_groups.all()}
    assert job.reason
    assert code in attached(job).decode()
    assert states(job) == ["running", "failed"]
    assert counts(job) == {}


def test_a_missing_column_is_told_with_the_near_miss(institution: Institution) -> None:
    job = institution.send("accounts", "PersonIdentifer,FirstName,LastName,Email\n1,2,3,4\n")
    assert '"PersonIdentifer"' in job.reason
    assert '"PersonIdentifier"' in job.reason


def test_a_header_alone_is_complete_with_a_warning(institution: Institution) -> None:
    job = institution.send("accounts", HEADER)
    assert (job.state, counts(job)) == ("complete", {})
    assert [(g.code, g.severity) for g in job.issue_groups.all()] == [("no_rows", "warning")]


def test_unknown_columns_are_a_warning_and_no_reason_to_reject(institution: Institution) -> None:
    job = institution.send("accounts", HEADER.strip() + ",Shoe Size\n1,A,B,a@b.org,44\n")
    assert job.state == "complete"
    assert [(g.code, g.severity) for g in job.issue_groups.all()] == [("unknown_column", "warning")]
    assert "Shoe Size" not in institution.records("accounts")["1"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_corrected_attachment_imports_as_it_is(institution: Institution, delimiter: str) -> None:
    text = "\n".join(
        delimiter.join(f'"{cell}"' for cell in row)
        for row in (
            HEADER.strip().split(","),
            ("1", "-A, B;C|D", "B", "a@b.org"),
            ("2", "@B", "B", "no"),
            ("3", "two\nlines", "=x", "y"),
        )
    )
    first = institution.send("accounts", text)
    assert counts(first) == {"read": 3, "created": 1, "rejected": 2}
    corrected = attached(first)
    for wrong in (b"no", b"y"):
        corrected = corrected.replace(
            wrong + delimiter.encode(), b"right@b.org" + delimiter.encode(), 1
        )
    again = institution.send("accounts", corrected)
    assert (again.state, counts(again)) == ("complete", {"read": 2, "created": 2}), issues(again)
    stored = institution.records("accounts")
    assert stored["2"]["FirstName"] == "@B"
    assert (stored["3"]["FirstName"], stored["3"]["LastName"]) == ("two\nlines", "=x")


def test_a_dry_run_writes_nothing(institution: Institution) -> None:
    institution.load_campus("accounts")
    before = institution.writes()
    job = institution.send("accounts", accounts(1, 2) + "9,A,B,no\n", dry_run=True)
    assert (job.state, counts(job)) == ("planned", {"read": 3, "created": 2, "rejected": 1})
    assert institution.writes() == before
    assert len(rejected(job)) == 1
    assert states(job) == ["running", "planned"]


@pytest.mark.parametrize("limits", [{"creates": 2}, {"rejects": "1"}, {"updates": 0}])
def test_a_plan_beyond_a_limit_is_held(institution: Institution, limits: dict[str, object]) -> None:
    institution.load_campus("accounts")
    before = institution.writes()
    file = accounts(11, 12, 13) + "0001,A,Changed,ada@example.edu\n8,A,B,no\n9,A,B,no\n"
    job = institution.send("accounts", file, limits=limits)
    assert (job.state, job.finished_at) == ("held", None)
    assert counts(job) == {"read": 6, "created": 3, "updated": 1, "rejected": 2}
    assert len(job.hold_reasons) == 1
    assert institution.writes() == before
    assert len(rejected(job)) == 2


def test_a_percentage_is_of_the_stored_records(institution: Institution) -> None:
    institution.send("accounts", accounts(*range(2000)))
    institution.send("org_units", CAMPUS["org_units"])
    limits = {"updates": "10%"}
    changed = accounts(*range(201)).replace("Byron", "King")
    job = institution.send("accounts", changed, limits=limits)
    assert job.state == "held"
    assert job.reason == "The file would change 201 records; the limit is 10% (200 of 2,000)."
    within = institution.send(
        "accounts", accounts(*range(200)).replace("Byron", "K"), limits=limits
    )
    assert (within.state, within.rows_updated) == ("complete", 200)


def test_many_removals_are_held_by_default(institution: Institution) -> None:
    header = "Action,Username,FirstName,LastName,CampusEmail\n"
    rows = [f"u{n},A,B,u{n}@b.org\n" for n in range(101)]
    institution.send("engage_users", header + "".join(f"update,{row}" for row in rows))
    job = institution.send("engage_users", header + "".join(f"delete,{row}" for row in rows))
    assert (job.state, job.rows_removed) == ("held", 101)
    released(job)
    institution.work()
    job.refresh_from_db()
    assert (job.state, job.rows_removed) == ("complete", 101)
    assert institution.records("engage_users") == {}


def released(job: ImportJob) -> None:
    """What a data manager's release does to the row."""
    plan = {"created": job.rows_created, "updated": job.rows_updated, "removed": job.rows_removed}
    plan["rejected"] = job.rows_rejected
    ImportJob.objects.filter(pk=job.pk).update(
        state=ImportJob.State.READY, released_plan=plan, attempt=0
    )


def test_a_released_plan_that_has_grown_is_held_again(institution: Institution) -> None:
    institution.load_campus("accounts")
    job = institution.send("accounts", accounts(11, 12), limits={"creates": 1, "updates": 1})
    assert job.state == "held"
    released(job)
    ImportJob.objects.filter(pk=job.pk).update(released_plan={"created": 1})
    institution.work()
    job.refresh_from_db()
    assert job.state == "held"
    released(job)
    institution.work()
    job.refresh_from_db()
    assert (job.state, counts(job)) == ("complete", {"read": 2, "created": 2})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters(institution: Institution, encoding: str, delimiter: str) -> None:
    file = f"{HEADER}1,Zoë,Müller,z@b.org\n".replace(",", delimiter)
    job = institution.send("accounts", file.encode(encoding))
    guessed = {("guessed_encoding", ""): 1} if encoding == "cp1252" else {}
    assert (job.state, issues(job)) == ("complete", guessed)
    assert job.dialect["delimiter"] == delimiter
    assert institution.records("accounts")["1"]["LastName"] == "Müller"


def test_five_hundred_columns(institution: Institution) -> None:
    extra = ",".join(f"X{n}" for n in range(496))
    job = institution.send("accounts", f"{HEADER.strip()},{extra}\n1,A,B,a@b.org{',' * 496}\n")
    assert (job.state, counts(job)) == ("complete", {"read": 1, "created": 1})


def test_a_field_of_ten_megabytes_costs_its_row_only(institution: Institution) -> None:
    large = "x" * (10 << 20)
    job = institution.send("accounts", f"{HEADER}1,{large},B,a@b.org\n2,A,B,a@b.org\n")
    assert counts(job) == {"read": 2, "created": 1, "rejected": 1}
    assert issues(job) == {("row_too_large", ""): 1}
    assert len(attached(job)) < 2 << 20


def test_an_open_quote_costs_its_line_only(institution: Institution) -> None:
    job = institution.send("accounts", f'{HEADER}1,"A,B,a@b.org\n2,A,B,a@b.org\n3,A,B,a@b.org\n')
    assert counts(job) == {"read": 3, "created": 2, "rejected": 1}
    assert rejected(job)[0]["_line"] == "2"


def test_line_numbers_count_lines_inside_quotes(institution: Institution) -> None:
    job = institution.send("accounts", f'{HEADER}1,"A\n\nA",B,a@b.org\n2,A,B,no\n')
    assert rejected(job)[0]["_line"] == "5"
    assert institution.records("accounts")["1"]["FirstName"] == "A\n\nA"


STORED = "0001,Ada,Lovelace,ada@example.edu"
OTHER = "0001,Ada,King,ada@example.edu"


@pytest.mark.parametrize(
    ("rows", "surname", "lines"),
    [
        ((STORED, OTHER), "Lovelace", ["3"]),
        ((OTHER, STORED), "King", ["3"]),
        ((STORED, STORED), "Lovelace", ["3"]),
        ((OTHER, OTHER), "King", ["3"]),
        ((STORED, OTHER, STORED), "Lovelace", ["3", "4"]),
        ((OTHER, STORED, OTHER), "King", ["3", "4"]),
        ((OTHER, OTHER, STORED), "King", ["3", "4"]),
        ((STORED, STORED, OTHER), "Lovelace", ["3", "4"]),
    ],
)
def test_of_doubled_rows_the_first_counts_also_where_one_is_stored_already(
    institution: Institution, rows: tuple[str, ...], surname: str, lines: list[str]
) -> None:
    institution.load_campus("accounts")
    job = institution.send("accounts", HEADER + "\n".join(rows))
    assert [row["_line"] for row in rejected(job)] == lines
    assert issues(job) == {("duplicate_key", "PersonIdentifier"): len(lines)}
    assert institution.records("accounts")["0001"]["LastName"] == surname


def test_issues_name_the_column_as_the_file_spells_it(institution: Institution) -> None:
    job = institution.send(
        "accounts", "EXTERNALID,FirstName,LastName,Email\n1,A,B,a@b.org\n1,C,D,c@b.org\n"
    )
    assert issues(job) == {("duplicate_key", "EXTERNALID"): 1}
    assert "The same EXTERNALID" in rejected(job)[0]["_error"]


def test_the_original_is_not_touched(institution: Institution) -> None:
    job = institution.send("accounts", accounts(1))
    with default_storage.open(job.content) as file:
        assert file.read().decode() == accounts(1)


def test_of_many_reasons_the_first_are_named_and_the_others_counted() -> None:
    five = [f"Reason {number}." for number in range(5)]
    assert outcome._first_few(five, "reasons") == " ".join(five)
    assert outcome._first_few([*five, "x", "y"], "reasons") == (
        "Reason 0. Reason 1. Reason 2. Reason 3. And 3 more reasons; the list has them all."
    )
