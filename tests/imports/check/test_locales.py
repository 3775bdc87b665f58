"""One proof says for a whole column whether the day comes first, and what a comma means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.check import locales
from imports.check.columns import ColumnMapping
from imports.check.validation import CheckedChunk, Validator
from imports.issues import Code
from imports.mapping.matching import match
from portal.records.catalog import catalog
from portal.records.definitions import Feed, Field, FieldType, RecordType
from tests.imports.check.test_validation import documents, messages, written

FIELDS = (
    Field(name="Id", required=True),
    Field(name="Begin", type=FieldType.DATETIME),
    Field(name="End", type=FieldType.DATE),
    Field(name="Score", type=FieldType.NUMBER),
    Field(name="Mean", type=FieldType.NUMBER),
)
TYPE = RecordType(name="t", pack="p", label="T", key=("Id",), fields=FIELDS)
FEED = Feed(name="f", pack="p", label="F", record_type="t", folders=("F",), file_name="f.csv")
HEADER = [field.name for field in FIELDS]


def settled(
    rows: Sequence[Sequence[str]], before: Mapping[str, bool] | None = None, at_once: int = 2
) -> ColumnMapping:
    mapping = match(HEADER, FEED, TYPE)
    asked = locales.questions(mapping)
    parts = [rows[low : low + at_once] for low in range(0, len(rows), at_once)]
    chunks = (
        (written(part), np.arange(2 + number * at_once, 2 + number * at_once + len(part)))
        for number, part in enumerate(parts)
    )
    return locales.decided(mapping, locales.look(chunks, mapping, asked, ","), before)


def read(
    rows: Sequence[Sequence[str]], before: Mapping[str, bool] | None = None
) -> tuple[ColumnMapping, CheckedChunk]:
    mapping = settled(rows, before)
    validator = Validator(mapping, FEED, TYPE, catalog().record_type, {}, ",")
    lines = np.arange(2, 2 + len(rows))
    return mapping, validator.check(written(rows), lines, lines, lambda _: b"")


def column(values: Sequence[str], name: str) -> list[list[str]]:
    at = HEADER.index(name)
    rows = [[str(number), *[""] * (len(HEADER) - 1)] for number in range(len(values))]
    for row, value in zip(rows, values, strict=True):
        row[at] = value
    return rows


def stored(
    values: Sequence[str], name: str, before: Mapping[str, bool] | None = None
) -> list[object]:
    return [row[name] for row in documents(read(column(values, name), before)[1])]


@pytest.mark.parametrize("name", ["Begin", "End"])
def test_a_proof_that_comes_last_decides_the_whole_column(name: str) -> None:
    assert stored(["02/01/2027", "05/02/2027", "31/01/2027"], name) == [
        "2027-01-02", "2027-02-05", "2027-01-31",
    ]  # fmt: skip
    assert stored(["02/01/2027", "05/02/2027", "01/31/2027"], name) == [
        "2027-02-01", "2027-05-02", "2027-01-31",
    ]  # fmt: skip


def test_it_is_told_that_a_column_was_read_day_first_and_by_which_proof() -> None:
    mapping, _ = read(column(["02/01/2027", "31/01/2027"], "Begin"))
    (warning,) = mapping.warnings
    assert warning.code == Code.DATE_ORDER
    assert 'such as "02/01/2027" on line 2. It was read with the day first' in warning.message
    assert '"31/01/2027" on line 3 can be nothing else' in warning.message


def test_times_of_day_follow_their_dates() -> None:
    assert stored(["02/01/2027 5:00 PM", "31/01/2027 5:00 pm"], "Begin") == [
        "2027-01-02T17:00:00", "2027-01-31T17:00:00",
    ]  # fmt: skip


def test_a_column_without_a_proof_follows_the_files_others() -> None:
    rows = [["1", "04/01/2027", "30/06/2027", "", ""], ["2", "05/02/2027", "31/07/2027", "", ""]]
    mapping, chunk = read(rows)
    assert [row["Begin"] for row in documents(chunk)] == ["2027-01-04", "2027-02-05"]
    assert '"End" of this file is written so' in mapping.warnings[0].message


def test_a_column_without_any_proof_follows_the_last_file_and_then_the_dictionary() -> None:
    values = ["02/01/2027", "05/02/2027"]
    assert stored(values, "Begin", {"Begin": True}) == ["2027-01-02", "2027-02-05"]
    assert stored(values, "Begin") == ["2027-02-01", "2027-05-02"]
    (warning,) = settled(column(values, "Begin")).warnings
    assert "It was read with the month first" in warning.message
    assert "choose the date format in a template" in warning.message


def test_proofs_that_contradict_each_other_make_unreadable_what_has_two_readings() -> None:
    values = ["02/01/2027", "31/01/2027", "01/31/2027", "05/05/2027", "2027-03-04"]
    mapping, chunk = read(column(values, "Begin"))
    assert [row["Begin"] for row in documents(chunk)] == [
        "2027-01-31", "2027-01-31", "2027-05-05", "2027-03-04",
    ]  # fmt: skip
    assert "contradict each other" in messages(chunk)[0]
    assert '"Begin" contradicts itself: "31/01/2027" on line 3' in mapping.warnings[0].message


def test_a_slip_among_hundreds_does_not_make_a_column_contradict_itself() -> None:
    values = ["01/31/2027"] * 100 + ["02/01/2027", "31/01/2027"]
    _, chunk = read(column(values, "Begin"))
    assert documents(chunk)[-1]["Begin"] == "2027-02-01"
    assert chunk.rejected.tolist() == [101]


def test_what_is_the_same_in_both_ways_needs_no_proof() -> None:
    assert settled(column(["05/05/2027", "2027-01-02", ""], "Begin")).warnings == ()


def test_the_same_bytes_in_another_order_are_other_records() -> None:
    plain = match(HEADER, FEED, TYPE).fingerprint
    assert settled(column(["02/01/2027"], "Begin")).fingerprint == plain
    assert settled(column(["31/01/2027"], "Begin")).fingerprint != plain


@given(st.lists(st.dates(), min_size=1, max_size=8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_date_of_a_proven_column_is_exchanged(days: list[object], day_first: bool) -> None:
    order = "{0.day:02}/{0.month:02}/{0.year:04}" if day_first else "{0.month}/{0.day}/{0.year:04}"
    proof = "31/01/2027" if day_first else "01/31/2027"
    values = [order.format(day) for day in days]
    assert stored([*values, proof], "End")[:-1] == [
        f"{day:%Y}".zfill(4) + f"-{day:%m-%d}" for day in days
    ]  # type: ignore[str-format]


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["3,125", "3,75"], [3.125, 3.75]),
        (["3,125", "1.234,5"], [3.125, 1234.5]),
        (["3,125", "2.75"], [3125.0, 2.75]),
        (["1.234", "3,5"], [1234.0, 3.5]),
        (["1,234", "1,234,567"], [1234.0, 1234567.0]),
        (["3,125"], [3125.0]),
        (["3.125"], [3.125]),
        (["-0,5", "1,250"], [-0.5, 1.25]),
    ],
)
def test_one_number_says_what_the_commas_of_a_column_mean(
    values: list[str], numbers: list[float]
) -> None:
    assert stored(values, "Score") == numbers


def test_numbers_that_contradict_each_other_make_unreadable_what_has_two_readings() -> None:
    mapping, chunk = read(column(["3,125", "3,5", "2.75", "1.234"], "Score"))
    assert [row["Score"] for row in documents(chunk)] == [3.5, 2.75]
    assert chunk.rejected.tolist() == [0, 3]
    assert mapping.warnings[0].code == Code.DECIMAL_SIGN


def test_a_comma_that_may_be_for_thousands_is_told() -> None:
    (warning,) = settled(column(["3,125"], "Score")).warnings
    assert "It was read with commas between thousands" in warning.message


def test_only_a_file_with_such_cells_is_looked_at() -> None:
    asked = locales.questions(match(HEADER, FEED, TYPE)).values()
    assert locales.may_need_a_look([b"1,02/01/2027"], asked, "utf-8")
    dates = [field for field in asked if field.type is not FieldType.NUMBER]
    assert not locales.may_need_a_look([b"1,2027-01-02,a/b", b"and/or 1"], dates, "utf-8")
    assert locales.may_need_a_look([b"1,02", b"/01/2027"], dates, "utf-8")
    assert locales.may_need_a_look([b""], dates, "utf-16-le")


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("31/31/2026", False),
        ("a,13/99/26,Pass/Fail,99/13", False),
        ("31/12/2026", True),
        ("12/31/2026", True),
        ("2/3/2026", True),
        ("2027/01/31", True),
    ],
)
def test_a_date_that_cannot_be_is_no_reason_to_read_a_file_twice(text: str, needed: bool) -> None:
    fields = [Field(name="Begin", type=FieldType.DATE)]
    block = f"x,{text},y\n".encode()
    assert locales.may_need_a_look([block], fields, "utf-8") is needed
    for cut in range(2, 2 + len(text)) if needed else ():
        assert locales.may_need_a_look([block[:cut], block[cut:]], fields, "utf-8"), "a cut date"
