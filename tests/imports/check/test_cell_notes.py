"""What spreadsheets and programs do to cells: taken off where it is certain, else named."""

from __future__ import annotations

import unicodedata

import pytest

from imports.check.validation import CheckedChunk
from imports.issues import Severity
from tests.imports.check.test_validation import documents, issues, messages, through

PEOPLE = ["PersonIdentifier", "FirstName", "LastName", "Email"]
UNITS = ["OrgUnitIdentifier", "Name", "Acronym", "ParentIdentifier", "Type"]
TERMS = ["TermIdentifier", "Name", "BeginDate", "EndDate", "ParentIdentifier", "Type"]


def person(key: str, first: str = "Ann", last: str = "Low") -> CheckedChunk:
    return through("accounts", PEOPLE, [[key, first, last, "ann@oak.example"]])


def issues_of(chunk: CheckedChunk, severity: Severity) -> list[tuple[str, str]]:
    batches = [batch for batch in chunk.issues if batch.severity == severity]
    return [(batch.column, batch.code.value) for batch in batches]


ERRORS = (
    "#N/A #REF! #NAME? #VALUE! #DIV/0! #NULL! #NUM! #SPILL! #N/D #¡REF! #¿NOMBRE? #¡VALOR! #NV"
    " #BEZUG! #NOM? #VALEUR! #n/a ######## Err:502 #Н/Д"  # noqa: RUF001
)


@pytest.mark.parametrize("error", ERRORS.split())
@pytest.mark.parametrize("column", range(4))
def test_a_spreadsheets_error_is_no_value_of_any_column(error: str, column: int) -> None:
    row = ["k1", "Ann", "Low", "ann@oak.example"]
    row[column] = error
    chunk = through("accounts", PEOPLE, [row])
    assert issues_of(chunk, Severity.ERROR) == [(PEOPLE[column], "spreadsheet_damage")]
    assert "Write the value itself" in messages(chunk)[0]


@pytest.mark.parametrize(
    ("key", "cause"),
    [
        ("1.23457E+12", "rounded a long number"),
        ("1,23457E+12", "rounded a long number"),
        ("1e+06", "rounded a long number"),
        ("1-Mar", "made a date of a code"),
        ("01-mar", "made a date of a code"),
        ("1. Mrz", "made a date of a code"),
        ("3-dic", "made a date of a code"),
        ("31 août", "made a date of a code"),
        ("12345.0", "with decimals"),
        ("1,234,567", "separated its digits"),
        ("=A2", "formula"),
        ("=VLOOKUP(A2,B:C,2)", "formula"),
    ],
)
@pytest.mark.parametrize("refers", [False, True])
def test_an_identifier_that_a_spreadsheet_changed_is_rejected_with_the_cure(
    key: str, cause: str, refers: bool
) -> None:
    if refers:
        header = ["PersonIdentifier", "SectionIdentifier", "Status"]
        stored = {"accounts": ["k"], "sections": ["S1"]}
        chunk = through("enrollments", header, [[key, "S1", "Enrolled"]], stored)
    else:
        chunk = person(key)
    assert issues_of(chunk, Severity.ERROR) == [("PersonIdentifier", "spreadsheet_damage")]
    (message,) = messages(chunk)
    assert cause in message
    assert key in message


@pytest.mark.parametrize(
    "key",
    [
        "MAR1",
        "1E5",
        "12E5",
        "E+5",
        "BIO-101.0",
        "#17",
        "1-Marta",
        "00031",
        "1.5",
        "A=1",
        "O'1",
        "1.234",
        "10.01.234",
        "0.123.456",
        "1234567890123450",
        "123456789012346001",
    ],
)
def test_an_identifier_that_only_looks_odd_is_taken_as_it_stands(key: str) -> None:
    chunk = person(key)
    assert documents(chunk)[0]["PersonIdentifier"] == key
    assert messages(chunk) == []


@pytest.mark.parametrize(
    "key",
    [
        "123456789012346000",
        "1.234.567",
        "1 234",
        "12’345",  # noqa: RUF001
        "Mar-01",
        "sept-27",
        "3/1/2027",
        "01/03/27",
        "2027-03-01 00:00:00",
    ],
)
def test_an_identifier_that_may_be_a_date_is_taken_with_a_warning(key: str) -> None:
    chunk = person(key)
    assert documents(chunk)[0]["PersonIdentifier"] == key
    assert issues_of(chunk, Severity.WARNING) == [("PersonIdentifier", "spreadsheet_damage")]


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ('="00031"', "00031"),
        ('="a""b"', 'a"b'),
        ("'00032", "00032"),
        ("'0003-A", "0003-A"),
        ("'@ann4", "@ann4"),
        ("'+1-555", "+1-555"),
        ('=" 7 "', "7"),
    ],
)
def test_what_a_spreadsheet_put_around_an_identifier_is_taken_off_and_told(
    cell: str, key: str
) -> None:
    chunk = person(cell)
    assert documents(chunk)[0]["PersonIdentifier"] == key
    assert chunk.good["key"][0] == key.lower()
    assert issues_of(chunk, Severity.WARNING) == [("PersonIdentifier", "restored")]


def test_a_row_of_our_attachment_without_its_columns_is_read_as_the_row_it_was() -> None:
    chunk = person("'@ann4", "'=Ann", "'-Low")
    values = documents(chunk)[0]
    assert (values["PersonIdentifier"], values["FirstName"], values["LastName"]) == (
        "@ann4", "=Ann", "-Low",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["O'Neil", "'t Hooft", "'Abd al-Rahman", "d'", "'"])
def test_an_apostrophe_of_a_name_stays(name: str) -> None:
    chunk = person("k1", name, name)
    assert documents(chunk)[0]["LastName"] == name
    assert messages(chunk) == []


def test_a_rounded_number_is_no_text_either() -> None:
    header = ["PersonIdentifier", "ExternalId", "EffectiveOn", "FirstName", "LastName", "CardId"]
    rows = [["k1", "k1", "2026-08-24", "A", "B", "1.23457E+12"]]
    chunk = through("student_demographics", header, rows, {"accounts": ["k1"]})
    assert issues_of(chunk, Severity.ERROR) == [("CardId", "spreadsheet_damage")]


def test_long_numbers_that_all_end_in_zeros_are_told() -> None:
    keys = ["1234567890123450", "9234567890123400", "5234567890123410"]
    rows = [[key, "Ann", "Low", "a@oak.example"] for key in keys]
    assert issues_of(through("accounts", PEOPLE, rows), Severity.WARNING) == [
        ("PersonIdentifier", "spreadsheet_damage")
    ]
    rows[0][0] = "1234567890123456"
    assert issues_of(through("accounts", PEOPLE, rows), Severity.WARNING) == []


@pytest.mark.parametrize("word", ["NULL", "NA", "None", "na", "N/A"])
def test_a_word_for_nothing_may_be_a_name_or_a_key(word: str) -> None:
    chunk = person(word, word, word)
    assert documents(chunk)[0] == {
        "PersonIdentifier": word, "FirstName": word, "LastName": word, "Email": "ann@oak.example",
    }  # fmt: skip
    assert {code for _, code in issues_of(chunk, Severity.WARNING)} == {"missing_word"}
    assert issues_of(person("k", "Null", "Null"), Severity.WARNING) == []


def test_an_acronym_may_be_na_and_a_unit_may_refer_to_the_unit_na() -> None:
    rows = [["NAU", "Nautics", "NA", "na", "School"]]
    chunk = through("org_units", UNITS, rows)
    assert documents(chunk)[0]["Acronym"] == "NA"
    assert documents(chunk)[0]["ParentIdentifier"] == "na"


def test_a_word_that_clears_a_value_is_told() -> None:
    header = ["SectionIdentifier", "PersonIdentifier", "Status", "RegisteredDate", "Credits"]
    stored = {"accounts": ["k1"], "sections": ["S1"]}
    chunk = through("enrollments", header, [["S1", "k1", "Enrolled", "NA", " NULL "]], stored)
    assert documents(chunk)[0]["RegisteredDate"] is None
    assert set(issues_of(chunk, Severity.WARNING)) == {
        ("RegisteredDate", "missing_word"), ("Credits", "missing_word"),
    }  # fmt: skip


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_reference_is_found_in_every_normal_form(form: str) -> None:
    header = ["PersonIdentifier", "SectionIdentifier", "Status"]
    row = [unicodedata.normalize(form, "Renée.K") + "\u200b", "\ufeffS1", "Enrolled"]
    chunk = through("enrollments", header, [row], {"accounts": ["renée.k"], "sections": ["s1"]})
    assert messages(chunk) == []
    assert documents(chunk)[0] == {
        "PersonIdentifier": "Renée.K", "SectionIdentifier": "S1", "Status": "Enrolled",
    }  # fmt: skip


def test_a_wrong_cell_shows_what_nobody_sees_in_it() -> None:
    chunk = through("accounts", PEOPLE, [["k1", "A", "B", "ann\u200b\u00a0x"]])
    assert [value for *_, value in issues(chunk)] == ["annU+200BU+00A0x"]


@pytest.mark.parametrize(
    ("character", "named"),
    [
        ("\ufffd", "U+FFFD (REPLACEMENT CHARACTER)"),
        ("\x1f", "U+001F (a control character)"),
        ("\n", "U+000A (a control character)"),
        ("\t", "U+0009 (a control character)"),
        ("\x85x", "U+0085"),
        ("\ue000", "U+E000 (a private character)"),
    ],
)
def test_a_character_that_no_identifier_holds_is_named(character: str, named: str) -> None:
    chunk = person(f"a{character}b")
    if "\x85" in character:
        assert chunk.good["key"][0] == "a xb"  # a line end of mainframes is a blank
        return
    assert issues_of(chunk, Severity.ERROR) == [("PersonIdentifier", "bad_format")]
    assert named in messages(chunk)[0]


def test_an_email_without_what_nobody_sees_is_the_same_address() -> None:
    chunk = through("accounts", PEOPLE, [["k1", "A", "B", "an\u200bn@oak.example\u200b"]])
    assert documents(chunk)[0]["Email"] == "ann@oak.example"
