"""Records that are read a second time, by the lines that they begin on."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.scan import rereading
from imports.scan.dialect import Dialect
from imports.scan.rereading import records_of, records_on
from imports.scan.scanner import scan

COMMA = Dialect("utf-8", 0, ",")
QUOTED = ['"a,b"', '"two\nlines"', '"a ""word"" more"', 'a 5" pipe', '"Ann "A" Lee"', 'Ann "A"']
CELLS = st.sampled_from(["", "x", "é" * 40, *QUOTED])


def lines(*numbers: int):
    return np.array(numbers, np.int64)


def test_records_are_found_by_the_line_they_begin_on():
    data = b"a,b\n" + b'1,"x\ny"\nbad\n' * 1000 + b"7,z"
    records = list(records_on(io.BytesIO(data), COMMA, lines(2, 5, 3002)))
    assert records == [(2, b'1,"x\ny"'), (5, b'1,"x\ny"'), (3002, b"7,z")]


def test_no_line_needs_no_reading():
    source = io.BytesIO(b"a,b\n1,2\n")
    assert list(records_on(source, COMMA, lines())) == []
    assert source.tell() == 0


def test_a_quote_is_text_where_the_dialect_has_none():
    data = b'a,b\n1,6"\n2,7"\n'
    assert list(records_on(io.BytesIO(data), Dialect("utf-8", 0, ",", ""), lines(2, 3))) == [
        (2, b'1,6"'),
        (3, b'2,7"'),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=40), every=st.integers(1, 5))
def test_they_are_what_the_scan_has_whatever_the_block(
    encoding: str, end: str, rows: list[tuple[str, str]], every: int
):
    text = "".join(f"{','.join(row)}\n" for row in [("a", "b"), *rows]).replace("\n", end)
    dialect = Dialect(encoding, 0, ",")
    data = io.BytesIO(text.encode(encoding))
    chunks = list(scan(data, dialect, 2))
    first_lines = np.concatenate([chunk.lines for chunk in chunks])[::every]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rereading, "_BLOCK", 7)
        assert list(records_on(data, dialect, first_lines)) == list(
            records_of(iter(chunks), first_lines)
        )


def test_a_row_in_quotes_is_the_row_inside_as_in_the_scan():
    data = io.BytesIO(b'a,b,c\n1,x,y\n"2,""Lee, Ann"",z"\n3,p,q\n')
    expected = [(3, b'2,"Lee, Ann",z'), (4, b"3,p,q")]
    assert list(records_on(data, COMMA, lines(3, 4), columns=3)) == expected
    assert list(records_of(scan(data, COMMA, 3), lines(3, 4))) == expected
