"""Single records: lenient splitting, exact quoting."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.scan import cells


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"a""b"', ['a"b']),
        ('""', [""]),
        ('"a\nb",', ["a\nb", ""]),
        ('5" pipe,x', ['5" pipe', "x"]),
        ('"a"b,c', ["ab", "c"]),
        ('a,"open,b', ["a", "open,b"]),
        ('"open""', ['open"']),
    ],
)
def test_it_splits_a_record_and_keeps_what_it_can(record, expected):
    assert cells.split(record, ",") == expected


@given(st.lists(st.text(st.sampled_from('ab",; \n\r')), min_size=1, max_size=5))
def test_what_is_quoted_reads_back_here_and_in_the_csv_module(values):
    record = ";".join(cells.quoted(value, ";") for value in values)
    assert cells.split(record, ";") == values
    if record:
        assert next(csv.reader(io.StringIO(record, newline=""), delimiter=";")) == values
