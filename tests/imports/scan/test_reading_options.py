"""What a template says about how a file is written: skipped lines, header, footer, quotes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code, FileRefused
from imports.report.attachment_rows import write_attachment
from imports.report.rejects import Reject
from imports.scan.dialect import Dialect, DialectHints, detect
from imports.scan.scanner import ScanLimits, read_header, scan
from tests.sizes import examples

SMALL = ScanLimits(record=60, cell=20, columns=10)
PIECES = st.lists(
    st.sampled_from(['"', '""', ",", "\n", "a", " ", "bc", '","', '",\n"', "x" * 25, "1,2\n", "\0"])
)


def dialect(**options: object) -> Dialect:
    return Dialect("utf-8", 0, ",", **options)


def scanned(
    data: bytes, columns: int, how: Dialect, **options: object
) -> list[tuple[int, bytes, Code | None]]:
    """Line, record and code of all records in order, the code None for a good one."""
    records: list[tuple[int, bytes, Code | None]] = []
    for chunk in scan(io.BytesIO(data), how, columns, limits=SMALL, **options):
        starts, ends = chunk.offsets[:-1].tolist(), chunk.offsets[1:].tolist()
        assert ends[-1:] in ([], [len(chunk.data)])
        for line, start, end in zip(chunk.lines.tolist(), starts, ends, strict=True):
            records.append((line, chunk.data[start : end - 1], None))
        records += [(cut.line, cut.raw, cut.code) for cut in chunk.malformed]
    return sorted(records, key=lambda record: record[0])


def rows(data: bytes, columns: int, how: Dialect) -> list[tuple[int, bytes]]:
    return [(line, record) for line, record, _ in scanned(data, columns, how)]


def header(data: bytes, how: Dialect) -> tuple[tuple[str, ...], int]:
    names = read_header(io.BytesIO(data), how)
    return names.cells, names.line


def refusal(data: bytes, how: Dialect) -> tuple[Code, str]:
    with pytest.raises(FileRefused) as refused:
        read_header(io.BytesIO(data), how)
    with pytest.raises(FileRefused):
        list(scan(io.BytesIO(data), how, 1))
    (issue,) = refused.value.issues
    return issue.code, issue.message


# --- lines skipped at the top, and where the header is ------------------------------------------


def test_lines_at_the_top_are_skipped_whatever_is_in_them() -> None:
    data = b'He said "hi\n\n\xff\0,,,\nA,B\n1,2\n'
    assert header(data, dialect(skip_rows=3)) == (("A", "B"), 4)
    assert rows(data, 2, dialect(skip_rows=3)) == [(5, b"1,2")]


def test_skipped_lines_may_be_longer_than_a_block() -> None:
    data = b"x" * 300_000 + b"\n" + b"y" * 70_000 + b"\nA,B\n1,2\n"
    assert header(data, dialect(skip_rows=2)) == (("A", "B"), 3)
    assert rows(data, 2, dialect(skip_rows=2)) == [(4, b"1,2")]


def test_the_header_may_be_a_later_record() -> None:
    data = b'Report\n\n"of\ntoday"\nA,B\n1,2\n'
    assert header(data, dialect(header_row=3)) == (("A", "B"), 5)
    assert rows(data, 2, dialect(header_row=3)) == [(6, b"1,2")]
    assert header(data, dialect(header_row=2, skip_rows=1)) == (("A", "B"), 5)


@pytest.mark.parametrize("options", [{"skip_rows": 9}, {"header_row": 4}, {"skip_rows": 3}])
def test_a_file_that_ends_before_its_header_is_refused_in_words(options: dict[str, int]) -> None:
    code, message = refusal(b"A\nB\nC\n", dialect(**options))
    assert code is Code.EMPTY_FILE
    assert message.startswith("The file ends before its header")


def test_a_file_without_a_header_is_read_from_its_first_record() -> None:
    data = b"\n1,Ada,x\n2,Bo,y"
    assert header(data, dialect(header_row=0)) == (("Column 1", "Column 2", "Column 3"), 2)
    assert rows(data, 3, dialect(header_row=0)) == [(2, b"1,Ada,x"), (3, b"2,Bo,y")]


def test_a_first_record_of_several_lines_is_not_lost() -> None:
    data = b'"a\nb",2\n3,4\n'
    assert rows(data, 2, dialect(header_row=0)) == [(1, b'"a\nb",2'), (3, b"3,4")]


def test_many_records_before_the_header_are_read_once() -> None:
    data = b"".join(b"preamble %d\n" % number for number in range(1, 1_000)) + b"A,B\n1,2\n"
    assert header(data, dialect(header_row=1_000)) == (("A", "B"), 1_000)
    assert rows(data, 2, dialect(header_row=1_000)) == [(1_001, b"1,2")]


# --- quotes -------------------------------------------------------------------------------------

_SWAP = bytes.maketrans(b"\"'", b"'\"")


@given(PIECES, st.integers(1, 3), st.integers(1, 200), st.booleans())
@settings(max_examples=examples(300), deadline=None)
def test_single_quotes_are_read_as_double_ones_are(
    pieces: Sequence[str], columns: int, chunk_bytes: int, absorb: bool
) -> None:
    data = (",".join("abc"[:columns]) + "\n" + "".join(pieces)).encode()
    double = scanned(data, columns, dialect(), absorb_extra=absorb)
    single = scanned(
        data.translate(_SWAP),
        columns,
        dialect(quote="'"),
        chunk_bytes=chunk_bytes,
        absorb_extra=absorb,
    )
    assert [(line, raw.translate(_SWAP), code) for line, raw, code in single] == double


@given(PIECES, st.integers(1, 3), st.integers(1, 200))
@settings(max_examples=examples(300), deadline=None)
def test_without_quotes_every_line_is_a_record(
    pieces: Sequence[str], columns: int, chunk_bytes: int
) -> None:
    body = "".join(pieces)
    data = (",".join("abc"[:columns]) + "\n" + body).encode()
    records = scanned(data, columns, dialect(quote=""), chunk_bytes=chunk_bytes)
    lines = [(at, line) for at, line in enumerate(body.split("\n"), start=2) if line.strip(" ")]
    if columns > 1:
        lines = [(at, line) for at, line in lines if line.strip(" ,")]
    assert [line for line, *_ in records] == [at for at, _ in lines]
    for (_, raw, code), (_, line) in zip(records, lines, strict=True):
        if code is None:
            assert raw.count(b",") == columns - 1
            assert line == raw.decode() + "," * (len(line) - len(raw))
        else:
            assert code not in (Code.BAD_QUOTE, Code.OPEN_QUOTE)


def test_a_quote_in_the_wrong_place_is_named_as_it_is() -> None:
    (chunk,) = scan(io.BytesIO(b"A,B\n'O' Hara,1\n'open,2\n"), dialect(quote="'"), 2)
    first, second = chunk.malformed
    assert first.message.startswith("A single quote (') is in the wrong place")
    assert second.message.startswith("A single quote (') opens a value")
    code, message = refusal(b"'A,B\n1,2\n", dialect(quote="'", header_row=0))
    assert code is Code.UNREADABLE_HEADER
    assert "a single quote is in the wrong place" in message


def test_an_apostrophe_in_a_name_is_text_where_values_are_in_single_quotes() -> None:
    data = b"A,B\nO'Hara,1\n'O'Hara, Ann','won't'\n"
    (chunk,) = scan(io.BytesIO(data), dialect(quote="'"), 2)
    assert chunk.data == b"'O''Hara',1\n'O''Hara, Ann','won''t'\n"
    assert chunk.requoted.tolist() == [2, 3]


def test_a_header_has_the_quotes_of_the_file() -> None:
    assert header(b"'A,\"1\"',B\n", dialect(quote="'"))[0] == ('A,"1"', "B")
    assert header(b"\"A,'B\n", dialect(quote=""))[0] == ('"A', "'B")


def test_an_attachment_has_double_quotes_whatever_the_file_had() -> None:
    out = io.BytesIO()
    rejects = [Reject(2, b"'a,\"b\"',c", ())]
    write_attachment(out, ["A", "B"], ",", rejects, "'")
    assert '"a,""b""",c,2' in out.getvalue().decode("utf-8-sig")


# --- hints go before what is guessed -----------------------------------------------------------


def detected(data: bytes, **hints: object) -> Dialect:
    return detect(io.BytesIO(data), len(data), DialectHints(**hints))


def test_what_a_hint_says_is_not_guessed() -> None:
    data = "A;B\n1;é,3\n".encode()
    assert detected(data) == Dialect("utf-8", 0, ";")
    assert detected(data, delimiter=",", encoding="cp1252") == Dialect("cp1252", 0, ",")
    how = detected(data, quote="'", skip_rows=1, header_row=0, skip_last=2)
    assert (how.quote, how.skip_rows, how.header_row, how.skip_last) == ("'", 1, 0, 2)


def test_a_byte_order_mark_goes_before_a_hint() -> None:
    data = codecs.BOM_UTF16_LE + "A,B\n".encode("utf-16-le")
    assert detected(data, encoding="cp1252") == Dialect("utf-16-le", 2, ",")
    assert detected("A,B\n".encode("utf-16-le"), encoding="utf-16-le").encoding == "utf-16-le"


def test_the_delimiter_is_sought_behind_what_is_skipped() -> None:
    data = b"a,b,c,d\ne,f\nA;B\n1;2\n3;4\n"
    assert detected(data).delimiter == ","
    assert detected(data, skip_rows=2).delimiter == ";"
    assert detected(data, header_row=3).delimiter == ";"
    assert detected(b"'a,b,c';'d'\n'e';'f'\n", quote="'").delimiter == ";"
    assert detected(b"1;2\n3;4\n", header_row=0).delimiter == ";"
