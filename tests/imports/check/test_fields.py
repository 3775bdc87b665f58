"""Each type of field: the spellings it reads, what it stores for them, and those it refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.check import fields, hints, moments
from imports.issues import Code
from portal.records.definitions import Field, FieldType


def read(field: Field, text: str | None) -> tuple[Any, set[Code]]:
    """What is stored for a cell, and the codes of the checks that it fails."""
    frame = pl.DataFrame({"raw": [text]}, schema={"raw": pl.String})
    frame = frame.select(cell=fields.clean(pl.col("raw"), fields.missing_in(field)))
    frame = frame.with_columns(value=fields.parse(field, pl.col("cell")))
    cell_checks = fields.checks(field, pl.col("cell"), pl.col("value"))
    failed = {c.code for c in cell_checks if frame.select(c.failed.fill_null(False)).item()}
    value = frame["value"].to_list()[0]
    return value, failed


def field_of(kind: FieldType, **more: Any) -> Field:
    return Field(name="F", type=kind, **more)


ROLE = field_of(
    FieldType.ENUM,
    values=("Primary", "TeachingAssistant"),
    value_aliases={"ta": "TeachingAssistant"},
)

GOOD = [
    (field_of(FieldType.TEXT), "  00012 ", "00012"),
    (field_of(FieldType.TEXT), "\u00a0Zoë\t", "Zoë"),
    (field_of(FieldType.TEXT), "Null", "Null"),
    (field_of(FieldType.TEXT), ".", "."),
    (field_of(FieldType.EMAIL), "ada.o'neil+x@mail.example.edu", "ada.o'neil+x@mail.example.edu"),
    (field_of(FieldType.EMAIL), "jürgen@müller.example", "jürgen@müller.example"),
    (ROLE, "PRIMARY", "Primary"),
    (ROLE, "teachingassistant", "TeachingAssistant"),
    (ROLE, "Ta", "TeachingAssistant"),
    (field_of(FieldType.INTEGER), "0042", 42),
    (field_of(FieldType.INTEGER), "-7", -7),
    (field_of(FieldType.INTEGER), "1,234,567", 1234567),
    (field_of(FieldType.INTEGER), "12.0", 12),
    (field_of(FieldType.INTEGER), "12.", 12),
    (field_of(FieldType.NUMBER), "3.75", 3.75),
    (field_of(FieldType.NUMBER), "-1,234.5", -1234.5),
    (field_of(FieldType.NUMBER), ".5", 0.5),
    (field_of(FieldType.CREDIT), "3", 3.0),
    (field_of(FieldType.CREDIT), "3.", 3.0),
    (field_of(FieldType.CREDIT), "3,5", 3.5),
    (field_of(FieldType.CREDIT), "12.25", 12.25),
    *((field_of(FieldType.BOOLEAN), t, True) for t in ("true", "TRUE", "True", "T", "1")),
    *((field_of(FieldType.BOOLEAN), t, False) for t in ("false", "FALSE", "F", "0")),
    *((field_of(FieldType.CIP), t, t) for t in ("01", "26.01", "26.0101")),
    *((field_of(FieldType.ZIP), t, t) for t in ("05401", "05401-1234")),
    *((field_of(FieldType.GUID), t, t) for t in ("a-b.c_d/e@f", "6F9619FF-8B86")),
    *((field_of(FieldType.OBJECT), t, t) for t in ("{}", '{"a":[1,null,"é"]}')),
    (field_of(FieldType.OBJECT), ' { "a" : 1.0 } ', '{"a":1.0}'),
]
BAD = [
    (field_of(FieldType.EMAIL), Code.NOT_AN_EMAIL, ("ada", "ada@", "@b.co", "a@b", "a b@c.de")),
    (
        field_of(FieldType.EMAIL),
        Code.NOT_AN_EMAIL,
        ("a@b.de,c@d.de", "a@b..de", "a@.de", "a@b.d", "<a@b.de>"),
    ),
    (ROLE, Code.NOT_IN_LIST, ("Prim", "Primary ta", "1")),
    (field_of(FieldType.INTEGER), Code.NOT_A_NUMBER, ("1.5", "1,23", "+1", "1e3", "--1", "x", "٣")),
    (field_of(FieldType.INTEGER), Code.NOT_A_NUMBER, ("9" * 30, "0x10", "1 000")),
    (
        field_of(FieldType.NUMBER),
        Code.NOT_A_NUMBER,
        ("1e3", "nan", "inf", ".", "-", "1,2.5", "9" * 400),
    ),
    (field_of(FieldType.CREDIT), Code.NOT_A_NUMBER, ("100", "3.255", "-3", ".5")),
    (field_of(FieldType.BOOLEAN), Code.NOT_A_BOOLEAN, ("yes", "2", "tru", "on")),
    (field_of(FieldType.CIP), Code.BAD_FORMAT, ("1", "26.1", "26.010", "26.01011", "26-01")),
    (field_of(FieldType.ZIP), Code.BAD_FORMAT, ("5401", "054011", "05401-12", "05401 1234")),
    (field_of(FieldType.GUID), Code.BAD_FORMAT, ("a b", "{a}", "x" * 256)),
    (
        field_of(FieldType.OBJECT),
        Code.BAD_FORMAT,
        ("[1]", "1", "{a: 1}", '{"a": NaN}', '{"a": 1e999}'),
    ),
    (
        field_of(FieldType.OBJECT),
        Code.BAD_FORMAT,
        ('{"a": "\\u0000"}', '{"a": "\\ud800"}', "{" * 5000),
    ),
]


@pytest.mark.parametrize(("field", "text", "stored"), GOOD)
def test_it_reads(field: Field, text: str, stored: Any) -> None:
    value, failed = read(field, text)
    assert failed == set()
    assert value == stored
    assert type(value) is type(stored)


@pytest.mark.parametrize(("field", "code", "text"), [(f, c, t) for f, c, ts in BAD for t in ts])
def test_it_rejects(field: Field, code: Code, text: str) -> None:
    assert read(field, text) == (None, {code})


@pytest.mark.parametrize(("code", "hint"), [("1.0101", "01.0101"), ("26.1", "26.10")])
def test_a_cip_code_without_its_zeros_is_named_with_them(code: str, hint: str) -> None:
    assert read(field_of(FieldType.CIP), code) == (None, {Code.BAD_FORMAT})
    assert hint in hints.of_cip(code)


@pytest.mark.parametrize("code", ["00", "02.01", "17.0101", "55", "62.0101", "99.9999"])
def test_a_cip_code_is_of_a_family_that_exists(code: str) -> None:
    assert read(field_of(FieldType.CIP), code) == (None, {Code.BAD_FORMAT})


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("31.01.2027", "2027-01-31"),
        ("1-31-2027", "2027-01-31"),
        ("2027/01/31", "2027-01-31"),
        ("20270131", "2027-01-31"),
        ("46258", "2026-08-24"),
        ("31/01/27", "four digits"),
        ("31/01/2027 20:00", "2027-01-31T20:00"),
        ("31.01.2027 8:05:30", "2027-01-31T08:05:30"),
        ("01/02/2027 20:00", "2027-01-02T20:00 or 2027-02-01T20:00, whichever is meant"),
        ("01-02-2027", "2027-01-02 or 2027-02-01, whichever is meant"),
        ("01.02.2027", "Write 2027-02-01, or"),
        ("24 August 2026", "month as a number"),
    ],
)
def test_a_date_in_another_format_is_told_with_the_likely_one(text: str, meant: str) -> None:
    assert read(field_of(FieldType.DATE), text)[1] == {Code.NOT_A_DATE}
    assert meant in hints.of_date(text)


def test_a_date_in_a_column_with_the_day_first_is_advised_so() -> None:
    field = replace(field_of(FieldType.DATETIME), day_first=True)
    hint = hints.hint_of(field)
    assert hint is not None
    assert "Write 2027-02-01T20:00, or" in hint("01/02/2027 20:00")


def test_no_credits_are_advised_that_would_be_refused_again() -> None:
    """Credits are read with a comma already: "1,250" is refused for its digits."""
    assert hints.hint_of(field_of(FieldType.CREDIT)) is None


WORDS = (FieldType.TEXT, FieldType.GUID)


@pytest.mark.parametrize("kind", [kind for kind in FieldType if kind not in WORDS])
@pytest.mark.parametrize("text", [None, "", " \t ", "NULL", "NA", "N/A", "na", " n/a "])
def test_a_missing_token_is_no_value_and_no_fault(kind: FieldType, text: str | None) -> None:
    assert read(field_of(kind, values=("a",), max_length=1), text) == (None, set())


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("text", ["NULL", "NA", "N/A", "na", "None", "Null"])
def test_a_text_may_be_a_word_that_elsewhere_stands_for_no_value(
    kind: FieldType, text: str
) -> None:
    assert read(field_of(kind), text) == (text, set())


@pytest.mark.parametrize(
    ("text", "stored"), [("NULL", None), ("N/A", None), ("NA", "NA"), ("na", "na")]
)
def test_a_reference_may_be_na_but_not_null(text: str, stored: str | None) -> None:
    assert read(field_of(FieldType.TEXT, references="org_units"), text) == (stored, set())


# spelling, as a moment, as a date
DATES = [
    ("2023-08-01", "2023-08-01", "2023-08-01"),
    ("2024-02-29", "2024-02-29", "2024-02-29"),
    ("0001-01-01", "0001-01-01", "0001-01-01"),
    ("9999-12-31", "9999-12-31", "9999-12-31"),
    ("2023-08-01T17:00:00-07:00", "2023-08-02T00:00:00Z", "2023-08-01"),
    ("2023-08-01T17:00:00-0700", "2023-08-02T00:00:00Z", "2023-08-01"),
    ("2023-08-01T17:00:00+05", "2023-08-01T12:00:00Z", "2023-08-01"),
    ("2023-08-01T17:00+05:30", "2023-08-01T11:30:00Z", "2023-08-01"),
    ("2023-08-01T17:00:00 +05:30", "2023-08-01T11:30:00Z", "2023-08-01"),
    ("2023-08-01T17:00:00Z", "2023-08-01T17:00:00Z", "2023-08-01"),
    ("2023-08-01t17:00z", "2023-08-01T17:00:00Z", "2023-08-01"),
    ("2023-08-01 17:00", "2023-08-01T17:00:00", "2023-08-01"),
    ("2023-08-01T17:00:09", "2023-08-01T17:00:09", "2023-08-01"),
    ("2023-08-01T17:00:00.0000000Z", "2023-08-01T17:00:00Z", "2023-08-01"),
    ("2023-08-01 17:00:00.250", "2023-08-01T17:00:00.250", "2023-08-01"),
    ("8/1/2023", "2023-08-01", "2023-08-01"),
    ("08/01/2023", "2023-08-01", "2023-08-01"),
    ("8/1/2023 5:00 PM", "2023-08-01T17:00:00", "2023-08-01"),
    ("8/1/2023 5:00:09pm", "2023-08-01T17:00:09", "2023-08-01"),
    ("08/01/2023 12:00 am", "2023-08-01T00:00:00", "2023-08-01"),
    ("8/1/2023  12:30 PM", "2023-08-01T12:30:00", "2023-08-01"),
]
NO_DATES = [
    "2023-02-29",
    "2023-13-01",
    "2023-00-10",
    "0000-01-01",
    "2023-8-1",
    "23-08-01",
    "20230801",
    "12023-08-01",
    "13/1/2023",
    "8/1/23",
    "1.8.2023",
    "8/1/2023 17:00",
    "8/1/2023 13:00 PM",
    "2023-08-01T24:00:00",
    "2023-08-01T10:60",
    "2023-08-01T10",
    "2023-08-01T17:00:00+99:00",
    "0001-01-01T00:00:00+07:00",
    "2023-08-01 x",
    "٢٠٢٣-08-01",
    "today",
    "45139",
]


@pytest.mark.parametrize(("text", "moment", "date"), DATES)
def test_it_reads_a_date(text: str, moment: str, date: str) -> None:
    assert read(field_of(FieldType.DATETIME), text) == (moment, set())
    assert read(field_of(FieldType.DATE), text) == (date, set())


@pytest.mark.parametrize("kind", [FieldType.DATE, FieldType.DATETIME])
@pytest.mark.parametrize("text", NO_DATES)
def test_it_rejects_what_is_no_date(kind: FieldType, text: str) -> None:
    assert read(field_of(kind), text) == (None, {Code.NOT_A_DATE})


def test_a_column_may_mix_all_spellings() -> None:
    cells = [text for text, _, _ in DATES] + NO_DATES + [None]
    frame = pl.DataFrame({"c": cells}).select(m=moments.moment(pl.col("c")))
    assert frame["m"].to_list() == [m for _, m, _ in DATES] + [None] * (len(NO_DATES) + 1)


@settings(deadline=None)
@given(st.datetimes(), st.sampled_from(["T", " "]))
def test_any_local_time_is_stored_as_it_is(when: Any, middle: str) -> None:
    text = when.replace(microsecond=0).isoformat(sep=middle)
    assert read(field_of(FieldType.DATETIME), text) == (text.replace(" ", "T"), set())


@settings(deadline=None)
@given(st.text(max_size=30))
def test_no_text_makes_a_type_stumble(text: str) -> None:
    for kind in FieldType:
        value, failed = read(field_of(kind, values=("a",)), text.replace("\0", ""))
        assert value is None or isinstance(value, (str, int, float, bool))
        assert len(failed) <= 2


LATER = [
    ("2023-08-02", "2023-08-01", True),
    ("2023-08-01", "2023-08-01", False),
    ("2023-08-01T10:00:00Z", "2023-08-01T09:59:59Z", True),
    ("2023-08-01T10:00:00", "2023-08-01T10:00:00.500", False),
    ("2023-08-01T10:00:00.500Z", "2023-08-01T10:00:00Z", True),
    ("2023-08-01T10:00:00Z", "2023-08-01", False),
    ("2023-08-01T10:00:00Z", "2023-08-01T09:00:00", False),
]


@pytest.mark.parametrize(("first", "second", "later"), LATER)
def test_it_compares_only_what_both_dates_say(first: str, second: str, later: bool) -> None:
    frame = pl.DataFrame({"a": [first], "b": [second]})
    assert frame.select(moments.later(pl.col("a"), pl.col("b"))).item() is later


def test_a_list_may_have_any_of_three_separators() -> None:
    field = Field(name="F", many=True)
    assert read(field, " a, b;c |NA|a,, 00 ") == (["a", "b", "c", "NA", "00"], set())
    assert read(field, " ; ,|") == (None, set())


def test_length_counts_characters_and_the_limit_is_within() -> None:
    field = field_of(FieldType.TEXT, max_length=4)
    assert read(field, " žluť ") == ("žluť", set())
    assert read(field, "žlutý")[1] == {Code.TOO_LONG}
    assert read(Field(name="F", many=True, max_length=2), "aa,bbb")[1] == {Code.TOO_LONG}


def test_a_pattern_must_fit_the_whole_cell() -> None:
    field = field_of(FieldType.TEXT, pattern="[A-Z]{2}|[0-9]{3}")
    assert read(field, "AB")[1] == set()
    assert read(field, "ABC")[1] == {Code.BAD_FORMAT}
    assert read(field, "1234")[1] == {Code.BAD_FORMAT}


@pytest.mark.parametrize("kind", [k for k in FieldType if k is not FieldType.TEXT])
def test_every_message_says_what_was_found_and_what_is_expected(kind: FieldType) -> None:
    first, *_ = fields.checks(field_of(kind, values=("One", "Two")), pl.col("c"), pl.col("v"))
    assert first.message.startswith('"{column}" is "{value}". ')
    assert re.search(r"Expected .+\.$|Use one of: One, Two\.$", first.message)
