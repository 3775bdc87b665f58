"""Files for people: no active cells, nothing lost."""

from __future__ import annotations

import codecs
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.people_csv import PeopleCsv, neutralise, restore, write_rows
from tests.sizes import examples

ACTIVE = "=+-@\t\r\n\0＝＋－＠"  # noqa: RUF001
VALUES = st.text(st.sampled_from(ACTIVE + "'ab1.,;\" é🎉"), max_size=8) | st.text(max_size=8)


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "-", "+",
     "-5;=1", "+52 55 1234", "--5", "-5\n", "\uff1d1", "'=1", "-\u0665"],
)  # fmt: skip
def test_it_neutralises_what_a_spreadsheet_would_run(value):
    assert neutralise(value) == "'" + value
    assert restore(neutralise(value)) == value


@pytest.mark.parametrize("value", ["", "5", "-5", "+3.2", "-3,2", "-1e5", "a=b", " x", "'", "'a"])
def test_it_leaves_harmless_values_as_they_are(value):
    assert neutralise(value) == value
    assert restore(value) == value


def test_only_the_apostrophe_of_the_writer_is_taken_off():
    assert restore("'=1") == "=1"
    assert restore("''=1") == "'=1"
    assert restore("'tis") == "'tis"
    assert restore("'-5") == "'-5"


@given(VALUES)
@settings(max_examples=examples(1000))
def test_restoring_gives_the_value_back_and_neutralised_values_are_never_active(value):
    safe = neutralise(value)
    assert restore(safe) == value
    number = safe[:1] in "+-" and safe[1:2].isdigit()
    assert number or not safe.startswith(tuple(ACTIVE))


@given(
    st.lists(st.lists(VALUES, min_size=1, max_size=4), max_size=20),
    st.sampled_from(",;\t|"),
    st.booleans(),
)
@settings(max_examples=examples(300))
def test_what_is_written_reads_back(rows, delimiter, bom):
    rows = [[c.encode("utf-8", "replace").decode() for c in row] for row in rows]
    out = io.BytesIO()
    assert write_rows(out, ["h"], rows, delimiter, bom) == len(rows)
    data = out.getvalue()
    assert data.startswith(codecs.BOM_UTF8) is bom
    text = data.decode("utf-8-sig" if bom else "utf-8")
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    assert [[restore(cell) for cell in row] for row in read] == [["h"], *rows]


def test_lines_end_in_cr_lf_and_the_target_stays_open():
    out = io.BytesIO()
    write_rows(out, ["a", "b"], [["1", 'x"y'], ["p\nq", "\udc80"]], bom=False)
    assert out.getvalue() == b'a,b\r\n1,"x""y"\r\n"p\nq",?\r\n'
    assert not out.closed


def test_rows_go_out_while_they_are_written():
    out = io.BytesIO()
    with PeopleCsv(out) as writer:
        for _ in range(2000):
            writer.row(["x" * 100])
        assert len(out.getvalue()) > 100_000
    assert len(out.getvalue()) == 3 + 2000 * 102
