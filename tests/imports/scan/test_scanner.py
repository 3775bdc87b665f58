"""The scanner: every record is either good or cut, with its true line, whatever the bytes."""

from __future__ import annotations

import codecs
import csv
import io
import re
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code, FileRefused
from imports.scan.dialect import Dialect
from imports.scan.scanner import (
    Chunk,
    MalformedRecord,
    ScanLimits,
    keep,
    read_header,
    record_hashes,
    scan,
)
from tests.sizes import examples

COMMA = Dialect("utf-8", 0, ",")
SMALL = ScanLimits(record=60, cell=20, columns=10)
TINY = ScanLimits(record=12, cell=8, columns=10)


@dataclass
class Result:
    records: list[tuple[int, bytes]]
    cuts: list[MalformedRecord]
    chunks: list[Chunk]

    @property
    def codes(self) -> list[tuple[int, Code]]:
        return [(cut.line, cut.code) for cut in self.cuts]

    @property
    def rows(self) -> list[list[str]]:
        return [row for chunk in self.chunks for row in parsed(chunk.data)]

    @property
    def lines(self) -> list[int]:
        return [line for line, _ in self.records]


def parsed(data: bytes, delimiter: str = ",") -> list[list[str]]:
    if not data:
        return []
    frame = pl.read_csv(
        data,
        has_header=False,
        separator=delimiter,
        quote_char='"',
        eol_char="\n",
        infer_schema=False,
    )
    return [[cell or "" for cell in row] for row in frame.rows()]


def run(data: bytes, columns: int, dialect: Dialect = COMMA, **options) -> Result:
    chunks = list(scan(io.BytesIO(data), dialect, columns, **options))
    records, cuts = [], []
    for chunk in chunks:
        assert chunk.lines.dtype == chunk.offsets.dtype == np.int64
        assert chunk.offsets[0] == 0 and chunk.offsets[-1] == len(chunk.data)
        assert chunk.offsets.size == chunk.lines.size + 1
        for line, start, end in zip(
            chunk.lines, chunk.offsets[:-1], chunk.offsets[1:], strict=True
        ):
            assert chunk.data[end - 1 : end] == b"\n"
            records.append((int(line), chunk.data[start : end - 1]))
        cuts += chunk.malformed
    return Result(records, cuts, chunks)


# --- an independent model: one character at a time -------------------------------------------


def judged(record: str, delimiter: str) -> tuple[str, int]:
    """ "good", "bad" or "open", and the number of cells up to there."""
    state, cells = "start", 1
    for char in record:
        if state == "inside":
            state = "after" if char == '"' else "inside"
        elif char in (delimiter, "\n"):
            assert char != "\n" or False, "a record never holds a line feed outside quotes"
            state, cells = "start", cells + 1
        elif char == '"' and state in ("start", "after"):
            state = "inside"
        elif char == '"' or state == "after":
            return "bad", cells
        else:
            state = "plain"
    return ("open" if state == "inside" else "good"), cells


def without_blanks(record: str) -> str:
    """The record without the blanks between a quoted value and its commas."""
    kept, state, at = "", "start", 0
    while at < len(record):
        char, rest = record[at], record[at:].lstrip(" ")
        if state == "start" and rest.startswith('"'):
            at = len(record) - len(rest)
            state, char = "inside", '"'
        elif state == "inside":
            state = "after" if char == '"' else "inside"
        elif state == "after" and char == " " and rest[:1] in ("", ","):
            at += 1
            continue
        elif char == ",":
            state = "start"
        else:
            state = "inside" if state == "after" and char == '"' else "plain"
        kept, at = kept + char, at + 1
    return kept


def swallows(lines: list[str], columns: int) -> bool:
    """Whether the lines of a record are rows that two stray quotes have tied together."""

    def kinds(line: str) -> list[str]:
        cells = line.replace('"', "").split(",")
        cells = cells if len(cells) == columns else cells[:1]
        return ["9" if "7" in cell else "a" if cell.strip() else "" for cell in cells]

    def alike(line: str) -> bool:
        outside = "".join(line.split('"')[::2])
        pairs = [pair for pair in zip(kinds(lines[0]), kinds(line), strict=False) if all(pair)]
        return (
            columns in (line.count(",") + 1, outside.count(",") + 1)
            and all(kind == other for kind, other in pairs)
            and any(kind == "9" for kind, _ in pairs)
        )

    is_row = columns > 1 and lines[0].count(",") + 1 >= columns
    return is_row and any(alike(line) for line in lines[1:])


def with_inner_quotes(record: str, columns: int) -> list[str] | None:
    """The values, where quotes with text on both sides are all that is wrong with the record."""
    places = []
    for at, char in enumerate(record):
        beside = (record[:at].rstrip(" ")[-1:], record[at + 1 :].lstrip(" ")[:1])
        nearest = (record[:at][-1:], record[at + 1 :][:1])
        if char == '"' and not {"", ",", '"'} & {*beside, *nearest}:
            places.append(at)
    text = "".join("q" if at in places else char for at, char in enumerate(record))
    text = re.sub(r'(?:^|(?<=,))((?:[^",q]*q[^",q]*q)*[^",q]*q[^",q]*)"(?= *(?:,|$))', r"\1q", text)
    neat = without_blanks(text)
    verdict, cells = judged(neat, ",")
    padding = max(cells - columns, 0)
    if not places or verdict != "good" or not neat.endswith("," * padding):
        return None
    values = next(csv.reader(io.StringIO(neat, "")))
    return [value.replace("q", '"') for value in values[: cells - padding]]


def within_quotes(record: str, columns: int) -> str:
    """What is in the quotes around a whole row of several values; nothing where there is none."""
    inside = record[1:-1].replace('""', '"')
    if columns < 3 or not record.startswith('"') or "\n" in "".join(inside.split('"')[::2]):
        return ""
    return inside if judged(without_blanks(inside), ",") == ("good", columns) else ""


def fitted(record: str, columns: int) -> tuple[str, int]:
    """The record without surplus commas at its end, and the number of its cells."""
    _, cells = judged(record, ",")
    surplus = cells - columns
    if surplus > 0 and record.endswith("," * surplus):
        return record[:-surplus], columns
    return record, cells


def counted_cells(record: str, columns: int) -> tuple[str, Code | None]:
    """The record as it is read, and what is wrong with the number of its cells."""
    cut, cells = fitted(record, columns)
    inside = within_quotes(record, columns) if cells == 1 else ""
    if inside or cells == columns:
        return inside or cut, None
    return record, Code.TOO_FEW_CELLS if cells < columns else Code.TOO_MANY_CELLS


def written_anew(record: str, columns: int, limits: ScanLimits) -> bytes:
    """The record with its inner quotes doubled; nothing where that does not make it a row."""
    values = with_inner_quotes(record, columns) or []
    if len(values) != columns or max(map(len, values)) > limits.cell:
        return b""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue().encode()


def modelled(body: str, columns: int, limits: ScanLimits) -> tuple[list, list]:
    """Good records and cuts of a body whose header was line 1, by the documented rules."""
    lines = body.removesuffix("\n").split("\n")
    good, cuts, at = [], [], 0
    while at < len(lines):
        end = at
        while "\n".join(lines[at : end + 1]).count('"') % 2 and end + 1 < len(lines):
            end += 1
        text = "\n".join(lines[at : end + 1])
        is_good = judged(without_blanks(text), ",")[0] == "good"
        is_tied = swallows(lines[at : end + 1], columns)
        if end > at and (len(text) > limits.record or not is_good or is_tied):
            end, text = at, lines[at]
        neat = without_blanks(text)
        verdict, _ = judged(neat, ",")
        nothing = " \t\r\v\f" if columns == 1 or verdict != "good" else ' \t\r\v\f,"'
        values = "".join(next(csv.reader(io.StringIO(neat, "")), [])) if verdict == "good" else "x"
        if not text.strip(" \t\r\v\f") or (not text.strip(nothing) and not values.strip()):
            pass
        elif len(text) > limits.record:
            cuts.append((at + 2, Code.ROW_TOO_LARGE))
        elif verdict != "good" and (written := written_anew(text, columns, limits)):
            good.append((at + 2, written))
        elif verdict != "good":
            cuts.append((at + 2, Code.BAD_QUOTE if verdict == "bad" else Code.OPEN_QUOTE))
        elif any(len(cell) > limits.cell for cell in next(csv.reader(io.StringIO(neat, "")))):
            cuts.append((at + 2, Code.CELL_TOO_LARGE))
        else:
            record, code = counted_cells(neat, columns)
            if code is None:
                good.append((at + 2, record.encode()))
            else:
                cuts.append((at + 2, code))
        at = end + 1
    return good, cuts


@given(
    st.lists(st.sampled_from(['"', '""', ",", "\n", "a", " ", "7", '","', '",\n"', "x" * 25])),
    st.integers(1, 3),
    st.integers(1, 200),
    st.sampled_from([SMALL, TINY]),
)
@settings(max_examples=examples(1000), deadline=None)
def test_it_agrees_with_a_model_that_reads_one_character_at_a_time(
    pieces, columns, chunk_bytes, limits
):
    body = "".join(pieces)
    header = ",".join("abc"[:columns])
    result = run(f"{header}\n{body}".encode(), columns, limits=limits, chunk_bytes=chunk_bytes)
    assert (result.records, result.codes) == modelled(body, columns, limits)


MARKS = [b'"', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xe9", "é".encode(), b"a", b" ", b'""']
MARKED = st.lists(st.sampled_from(MARKS), max_size=80).map(b"".join)


@given(MARKED | st.binary(max_size=600), st.integers(1, 300), st.integers(1, 4), st.booleans())
@settings(max_examples=examples(500), deadline=None)
def test_any_bytes_give_the_same_answer_whatever_the_chunks(body, chunk_bytes, columns, absorb):
    data = ",".join("abcd"[:columns]).encode() + b"\n" + body
    for dialect in (COMMA, Dialect("cp1252", 0, ","), Dialect("utf-8", 0, ",", line_end="cr")):
        options = {"limits": SMALL, "absorb_extra": absorb}
        whole = run(data, columns, dialect, **options)
        parts = run(data, columns, dialect, chunk_bytes=chunk_bytes, **options)
        assert whole.records == parts.records
        assert whole.cuts == parts.cuts
        for _, record in whole.records:
            assert parsed(record + b"\n")[0] is not None
            assert len(parsed(record + b"\n")[0]) == columns


@given(MARKED, st.integers(1, 3))
@settings(max_examples=examples(500), deadline=None)
def test_every_record_that_is_not_blank_is_good_or_cut(body, columns):
    result = run(b",".join([b"h"] * columns) + b"\n" + body, columns, limits=SMALL)
    seen = sorted(result.lines + [cut.line for cut in result.cuts])
    assert len(seen) == len(set(seen))
    covered = set()
    records = result.records + [(cut.line, cut.raw) for cut in result.cuts]
    for line, raw in records:
        lines = set(range(line, line + raw.count(b"\n") + 1))
        assert not covered & lines
        covered |= lines
    text = body
    for end in (b"\r\r\n", b"\r\n"):
        text = text.replace(end, b"\n")
    blank = {line for chunk in result.chunks for line in chunk.blank.tolist()}
    assert not blank & covered
    for number, physical in enumerate(text.split(b"\n"), start=2):
        if number in blank:
            assert not physical.strip(b' \t\r\v\f,"')
        else:
            assert number in covered or not physical.strip(b" \t\r\v\f")


@given(st.binary(max_size=400), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "cp1252"]))
@settings(max_examples=examples(400), deadline=None)
def test_no_bytes_raise_anything_but_a_refusal(data, encoding):
    for line_end in ("lf", "cr"):
        dialect = Dialect(encoding, 0, ";", line_end=line_end)
        try:
            header = read_header(io.BytesIO(data), dialect, SMALL)
        except FileRefused as refusal:
            assert refusal.issues[0].message
            with pytest.raises(FileRefused):
                run(data, 1, dialect, limits=SMALL)
        else:
            run(data, len(header.cells), dialect, limits=SMALL)


# --- well-formed content reads as Python's csv module reads it ---------------------------------

TEXT = st.text(st.sampled_from("ab\"',;\n \té€ñ漢🎉"), max_size=12)


@given(
    rows=st.integers(2, 5).flatmap(
        lambda n: st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=30)
    ),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n", "\r", "mixed"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "cp1252"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    chunk_bytes=st.sampled_from([1 << 10, 7, 64, 4 << 20]),
    last_line_ends=st.booleans(),
)
@settings(max_examples=examples(400), deadline=None)
def test_well_formed_files_read_as_the_csv_module_reads_them(
    rows, delimiter, line_end, encoding, quoting, chunk_bytes, last_line_ends
):
    if encoding == "cp1252":
        # "é€€" is a Chinese letter in UTF-8, which wins.
        letters = str.maketrans("", "", "漢🎉")
        rows = [[re.sub("€+", "€", c.translate(letters)) for c in row] for row in rows]
    if line_end == "\r":
        rows = [[cell.replace("\n", "") for cell in row] for row in rows]
    rows = [row if "".join(row).strip() else ["x", *row[1:]] for row in rows]
    columns = len(rows[0])
    lines = []
    for number, row in enumerate([["h"] * columns, *rows]):
        out = io.StringIO()
        end = ("\n", "\r\n")[number % 2] if line_end == "mixed" else line_end
        csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerow(row)
        lines.append(out.getvalue())
    text = "".join(lines)
    if not last_line_ends:
        text = text.rstrip("\r\n") if not text.endswith('"\n') else text
    dialect = Dialect(encoding, 0, delimiter, line_end="cr" if line_end == "\r" else "lf")
    result = run(text.encode(encoding), columns, dialect, chunk_bytes=chunk_bytes)
    assert not result.cuts
    got = [row for chunk in result.chunks for row in parsed(chunk.data, delimiter)]
    assert got == rows
    starts, line = [], 2
    for row in rows:
        starts.append(line)
        line += 1 + "".join(row).count("\n")
    assert result.lines == starts


# --- one thing at a time -----------------------------------------------------------------------


def test_it_says_how_many_cells_were_found_and_expected():
    result = run(b"a,b,c\n1,2\n1,2,3\n1,2,3,4\n", 3)
    assert result.records == [(3, b"1,2,3")]
    assert result.codes == [(2, Code.TOO_FEW_CELLS), (4, Code.TOO_MANY_CELLS)]
    assert result.cuts[0].message.startswith("This row has 2 cells, the header has 3. Add")
    assert result.cuts[1].message.startswith("This row has 4 cells, the header has 3. Put double")
    assert result.cuts[1].raw == b"1,2,3,4" and result.cuts[1].value == "1,2,3,4"


def test_an_inch_mark_at_the_edge_of_a_value_costs_its_own_row_only():
    result = run(b'a,b\n1,pipe 5"\n2,"6" pipe\n3,ok\n', 2)
    assert result.codes == [(2, Code.BAD_QUOTE), (3, Code.BAD_QUOTE)]
    assert result.rows == [["3", "ok"]]


@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('1,a 5" pipe', ["1", 'a 5" pipe']),
        ('1,Ann "Annie" Lee', ["1", 'Ann "Annie" Lee']),
        ('"1","Ann "Annie" Lee"', ["1", 'Ann "Annie" Lee']),
        ('"1","a 5" pipe, or a ""6"""', ["1", 'a 5" pipe, or a "6"']),
        ('1,a 5" pipe,,', ["1", 'a 5" pipe']),
        ('1,Ann "Annie"', ["1", 'Ann "Annie"']),
        ('Zum "A" und "B","x, y"', ['Zum "A" und "B"', "x, y"]),
        ('O"Neil , "x, y" ', ['O"Neil ', "x, y"]),
    ],
)
def test_a_quote_with_text_on_both_sides_is_text_and_told(line, values, chunk_bytes):
    data = f'a,b\n{line}\n2,"two\nlines"\n{line}\n'.encode()
    result = run(data, 2, chunk_bytes=chunk_bytes)
    assert result.rows == [values, ["2", "two\nlines"], values]
    assert result.lines == [2, 3, 5]
    assert not result.cuts
    requoted = [line for chunk in result.chunks for line in chunk.requoted.tolist()]
    assert requoted == [2, 5]


@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
@pytest.mark.parametrize("behind", ["", ";;;", " "])
def test_a_row_that_stands_in_quotes_as_a_whole_is_read_and_told(behind, chunk_bytes):
    data = f'a,b,c\n1,x,y\n"2,""Lee, Ann"",z"{behind}\n3,"p, q",r\n'.encode()
    result = run(data, 3, chunk_bytes=chunk_bytes)
    assert result.rows == [["1", "x", "y"], ["2", "Lee, Ann", "z"], ["3", "p, q", "r"]]
    assert [line for chunk in result.chunks for line in chunk.requoted.tolist()] == [3]


@pytest.mark.parametrize(
    ("header", "line"),
    [("a,b", '"Lee, Ann"'), ("a,b,c", '"Lee, Ann"'), ("a,b,c", '"a, b, c, d"')],
)
def test_one_value_in_quotes_is_no_row_of_several(header, line):
    result = run(f"{header}\n{line}\n".encode(), header.count(",") + 1)
    assert result.codes == [(2, Code.TOO_FEW_CELLS)]


@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
@pytest.mark.parametrize(
    "line",
    [
        '"--","--","--"',
        "--,----,---",
        "----+------+---",
        "=====,==,==",
        " ---- , -- ,--",
        ":--,:--:,--:",
    ],
)
def test_a_line_drawn_below_the_header_is_no_row(line, chunk_bytes):
    result = run(f"a,b,c\n{line}\n1,2,3\n".encode(), 3, chunk_bytes=chunk_bytes)
    assert result.rows == [["1", "2", "3"]]
    assert [line for chunk in result.chunks for line in chunk.blank.tolist()] == [2]
    assert not result.cuts


@pytest.mark.parametrize("line", ["-,-,-", "1,--,--", "--,,", "a--b,--,--", "+1,-2,=3"])
def test_a_row_of_dashes_for_missing_values_is_a_row(line):
    result = run(f"a,b,c\n{line}\n".encode(), 3)
    assert result.rows == [line.split(",")]


@pytest.mark.parametrize(
    "line",
    [
        '1,"Annie" Lee',  # closed too early
        '1,Annie"',  # one alone at the edge
        '1,Ann "An"nie"',
        '1,""Ann" Lee"',
        '"1,Ann "Annie" Lee',  # the first one is not closed
        '1,Ann "Annie" Lee,x',  # too many values
        'Ann "Annie" Lee',  # too few
        '1,"Lee, "Ann", Dr"',  # it may be three values
    ],
)
def test_a_quote_that_may_open_or_close_a_value_is_still_wrong(line):
    result = run(f"a,b\n{line}\n2,ok\n".encode(), 2)
    assert [cut.line for cut in result.cuts] == [2]
    assert result.rows == [["2", "ok"]]


@pytest.mark.parametrize("at", [0, 5000, 9999])
def test_an_open_quote_at_the_start_middle_or_end_costs_its_own_row_only(at):
    rows = [f"{n},name {n}" for n in range(10_000)]
    rows[at] = f'{at},"name'
    result = run(("a,b\n" + "\n".join(rows) + "\n").encode(), 2, chunk_bytes=10_000)
    assert result.codes == [(at + 2, Code.OPEN_QUOTE)]
    assert len(result.records) == 9_999
    assert result.lines == [n for n in range(2, 10_002) if n != at + 2]


def test_an_open_quote_before_quoted_rows_costs_its_own_row_only():
    body = '1,"open\n' + "".join(f'{n},"name, {n}"\n' for n in range(2, 3000))
    result = run(b"a,b\n" + body.encode(), 2)
    assert result.codes == [(2, Code.OPEN_QUOTE)]
    assert len(result.records) == 2998


def test_a_quote_closed_too_early_is_in_the_wrong_place():
    result = run(b'a,b\n"x"y,2\n"p" q,2\n"ok",2\n', 2)
    assert result.codes == [(2, Code.BAD_QUOTE), (3, Code.BAD_QUOTE)]
    assert result.rows == [["ok", "2"]]


def test_a_nul_byte_costs_its_own_row_only():
    result = run(b"a,b\n1,x\n2,\0\n3,y\n", 2)
    assert result.codes == [(3, Code.NUL_BYTE)]
    assert result.lines == [2, 4]


def test_broken_utf8_costs_its_own_row_only_and_shows_the_byte():
    result = run("a,b\n1,ñ\n2,x\n3,漢\n".encode().replace(b"x", b"caf\xe9 x"), 2)
    assert result.codes == [(3, Code.BAD_ENCODING)]
    assert result.cuts[0].value == "2,caf\\xe9 x"
    assert result.rows == [["1", "ñ"], ["3", "漢"]]


def test_a_broken_byte_on_a_later_line_of_a_record_costs_the_whole_record():
    result = run(b'a,b\n1,"p\nq\nr\xe9"\n2,x\n', 2)
    assert result.codes == [(2, Code.BAD_ENCODING)]
    assert result.cuts[0].raw == b'1,"p\nq\nr\xe9"'
    assert result.records == [(5, b"2,x")]


@pytest.mark.parametrize("chunk_bytes", [8, 4 << 20])
def test_a_record_of_several_lines_may_be_as_long_as_the_limit_and_no_longer(chunk_bytes):
    limits = ScanLimits(record=10)
    fits = run(b'a,b\n1,"345\n89"\n2,x\n', 2, limits=limits, chunk_bytes=chunk_bytes)
    assert fits.records == [(2, b'1,"345\n89"'), (4, b"2,x")]
    over = run(b'a,b\n1,"345\n890"\n2,x\n', 2, limits=limits, chunk_bytes=chunk_bytes)
    assert over.codes == [(2, Code.OPEN_QUOTE), (3, Code.BAD_QUOTE)]
    assert over.records == [(4, b"2,x")]


def test_a_byte_without_meaning_in_windows_1252_costs_its_own_row_only():
    result = run(b"a,b\n1,\x80\n2,\x81\n", 2, Dialect("cp1252", 0, ","))
    assert result.rows == [["1", "€"]]
    assert result.codes == [(3, Code.BAD_ENCODING)]


def test_half_a_character_at_the_end_of_utf16_costs_its_own_row_only():
    data = codecs.BOM_UTF16_LE + "a,b\n1,x\n2,y".encode("utf-16-le")
    result = run(data + b"z", 2, Dialect("utf-16-le", 2, ","))
    assert result.rows == [["1", "x"]]
    assert result.codes == [(3, Code.BAD_ENCODING)]


@pytest.mark.parametrize("chunk_bytes", [1 << 16, 4 << 20, 32 << 20])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_field_of_10_mb_is_one_cut_and_leaves_its_neighbours(chunk_bytes, quote):
    data = b"a,b\n1,x\n2," + quote + b"y" * (10 << 20) + quote + b"\n3,z\n"
    result = run(data, 2, chunk_bytes=chunk_bytes)
    assert result.codes == [(3, Code.ROW_TOO_LARGE)]
    assert len(result.cuts[0].raw) == 1 << 20
    assert result.records == [(2, b"1,x"), (4, b"3,z")]


def test_a_quoted_field_of_10_mb_with_line_ends_leaves_its_neighbours():
    data = b'a,b\n1,x\n2,"' + (b"y" * 99 + b"\n") * (10 << 14) + b'"\n3,z\n'
    result = run(data, 2, chunk_bytes=1 << 20)
    assert result.records == [(2, b"1,x"), (4 + (10 << 14), b"3,z")]
    assert result.codes[0] == (3, Code.OPEN_QUOTE)
    assert len(result.cuts) == 1 + (10 << 14)
    assert max(len(chunk.malformed) for chunk in result.chunks) <= 5_001


def test_a_cell_beyond_its_limit_is_named():
    result = run(b"a,b\n1," + b"y" * 70_000 + b"\n2,z\n", 2)
    assert result.codes == [(2, Code.CELL_TOO_LARGE)]
    assert result.cuts[0].message.startswith("Cell 2 of this row has 70,000 bytes")
    assert result.lines == [3]


def test_blank_lines_are_no_records_and_count_as_lines():
    result = run(b"\n \na,b\n\n1,2\n  \t\n,\n\n", 2)
    assert result.records == [(5, b"1,2")]
    assert not result.cuts
    assert [line for chunk in result.chunks for line in chunk.blank] == [7]


def test_an_empty_line_of_a_file_with_one_column_is_no_record_but_an_empty_value_is():
    result = run(b'a\n1\n\n""\n', 1)
    assert result.records == [(2, b"1"), (4, b'""')]


def test_a_row_of_tabs_is_a_blank_row_where_tab_is_the_delimiter():
    result = run(b"a\tb\n\t\n", 2, Dialect("utf-8", 0, "\t"))
    assert not result.records
    assert result.chunks[0].blank.tolist() == [2]


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 4 << 20])
def test_a_lone_carriage_return_is_part_of_its_cell(chunk_bytes):
    result = run(b"a,b\r\n1,x\ry\r\n2,z\r\r\n", 2, chunk_bytes=chunk_bytes)
    assert result.records == [(2, b"1,x\ry"), (3, b"2,z")]
    assert result.rows == [["1", "x\ry"], ["2", "z"]]


def test_carriage_returns_alone_end_lines_in_that_dialect():
    result = run(b'a,b\r1,x\r"2\r2",y\r', 2, Dialect("utf-8", 0, ",", line_end="cr"))
    assert result.records == [(2, b"1,x"), (3, b'"2\n2",y')]


def test_surplus_cells_are_absorbed_into_the_last_column():
    data = b'a;b\n1;x;y\n2;z\n3;"p;q";"say ""hi""";\n4\n'
    result = run(data, 2, Dialect("utf-8", 0, ";"), absorb_extra=True)
    rows = [row for chunk in result.chunks for row in parsed(chunk.data, ";")]
    assert rows == [["1", "x,y"], ["2", "z"], ["3", 'p;q,say "hi",']]
    assert result.lines == [2, 3, 4]
    assert result.codes == [(5, Code.TOO_FEW_CELLS)]


@pytest.mark.parametrize(("last", "codes"), [(10, []), (11, [(2, Code.CELL_TOO_LARGE)])])
def test_an_absorbed_cell_may_be_as_large_as_any_other(last: int, codes: list[object]):
    data = f"a,b\n1,{'x' * 9},{'y' * last}\n".encode()
    result = run(data, 2, absorb_extra=True, limits=SMALL)
    assert SMALL.cell == 20
    assert result.codes == codes


def test_500_columns_are_read():
    header = ",".join(f"c{n}" for n in range(500))
    row = header.replace("c", "v")
    data = f"{header}\n{row}\n".encode()
    assert len(read_header(io.BytesIO(data), COMMA).cells) == 500
    assert run(data, 500).records == [(2, row.encode())]


def test_a_file_with_a_header_only_has_no_chunks():
    assert run(b"a,b\n", 2).chunks == []
    assert run(b"a,b", 2).chunks == []


def test_progress_ends_at_the_size_of_the_file():
    data = b"a,b\n" + b"1,2\n" * 5000
    result = run(data, 2, chunk_bytes=1000)
    consumed = [chunk.consumed for chunk in result.chunks]
    assert consumed == sorted(consumed) and consumed[-1] == len(data)


def test_many_bad_rows_come_in_several_chunks():
    result = run(b"a,b\n" + b"1\n" * 12_000, 2)
    assert len(result.cuts) == 12_000
    assert [cut.line for cut in result.cuts] == list(range(2, 12_002))
    assert len(result.chunks) == 3


class Endless(io.RawIOBase):
    """A file of a header and so many bytes of one repeated row, never in memory as a whole."""

    def __init__(self, row: bytes, size: int) -> None:
        self.block, self.size, self.at = row * 1000, size, 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.at = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        if not self.at:
            self.at = 4
            return b"a,b\n"
        size = max(0, min(size, self.size - self.at))
        self.at += size
        return (self.block * (size // len(self.block) + 1))[:size]


@pytest.mark.parametrize(
    "row",
    [
        b"1,some text\n",
        b'1,"some\ntext"\n',
        b'1,"open and more text\n',
        b"one cell and no other\n",
        b"x" * 50,
        b"\r",
        b'1,"' + b"text in quotes\n" * 9,
    ],
)
def test_memory_does_not_grow_with_the_file(row):
    peaks = []
    limits = ScanLimits(record=8 << 10, cell=4 << 10)
    for size in (128 << 10, 768 << 10):
        tracemalloc.start()
        for chunk in scan(Endless(row, size), COMMA, 2, limits=limits, chunk_bytes=8 << 10):
            assert chunk.consumed <= size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000


# --- the header --------------------------------------------------------------------------------


def header_of(data: bytes, dialect: Dialect = COMMA, limits: ScanLimits = SMALL):
    return read_header(io.BytesIO(data), dialect, limits)


def test_the_header_is_trimmed_and_found_behind_blank_lines_and_the_mark():
    header = header_of(b'\xef\xbb\xbf\r\n \r\n a ,"b\nc", d\r\n1,2,3', Dialect("utf-8", 3, ","))
    assert header.cells == ("a", "b\nc", "d")
    assert header.line == 3


def test_a_second_byte_order_mark_is_dropped():
    assert header_of(b"\xef\xbb\xbfa,b\n").cells == ("a", "b")


@pytest.mark.parametrize("chunk_bytes", [3, 1 << 20])
@pytest.mark.parametrize(
    "body", ['1,2,"x, y"\n', '1,2,"x, y"\n' * 100, '1,2,"x, y"', '"1",2,"x, y"\n']
)
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('"a,b,c', ("a", "b", "c")),
        ('a,"b,c', ("a", "b", "c")),
        ('a,b,c"', ("a", "b", "c")),
        ('a,""b",c', ("a", "b", "c")),
        ('"a,"b, or b",c', ("a", "b, or b", "c")),
        ('a,b"d,c', ("a", 'b"d', "c")),
    ],
)
def test_a_quote_in_the_wrong_place_in_the_header_costs_no_name_and_no_row(
    line, names, body, chunk_bytes
):
    data = f"{line}\n{body}".encode()
    header = header_of(data)
    assert (header.cells, header.line, header.unbalanced) == (names, 1, True)
    result = run(data, 3, limits=SMALL, chunk_bytes=chunk_bytes)
    assert {tuple(row) for row in result.rows} == {("1", "2", "x, y")}
    assert result.lines == list(range(2, 2 + len(body.splitlines())))
    assert not result.cuts


def test_an_open_quote_above_the_header_costs_its_own_line_only():
    dialect = Dialect("utf-8", 0, ",", header_row=2)
    header = read_header(io.BytesIO(b'The "list\nA,"B, C"\n1,2\n'), dialect)
    assert (header.cells, header.line, header.unbalanced) == (("A", "B, C"), 2, False)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", Code.EMPTY_FILE, "empty"),
        (b" \n\n  ", Code.EMPTY_FILE, "empty"),
        (b"a,\0b\n", Code.UNREADABLE_HEADER, "NUL"),
        (b"a,\xe9\n", Code.UNREADABLE_HEADER, "(e9)"),
        (b"a," * 100, Code.UNREADABLE_HEADER, "does not end within"),
        (b"a," * 11 + b"\n", Code.TOO_MANY_COLUMNS, "12 columns"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_in_words(data, code, words):
    for read in (lambda: header_of(data), lambda: run(data, 2, limits=SMALL)):
        with pytest.raises(FileRefused) as refusal:
            read()
        (issue,) = refusal.value.issues
        assert issue.code is code
        assert words in issue.message


# --- hashes and selection ----------------------------------------------------------------------


def only_chunk(data: bytes, columns: int = 2) -> Chunk:
    (chunk,) = run(data, columns).chunks
    return chunk


def hashes(chunks: Iterable[Chunk], seed: int) -> list[int]:
    return [value for chunk in chunks for value in record_hashes(chunk, seed).tolist()]


def test_a_hash_depends_on_the_record_and_the_seed_alone():
    data = b'a,b\n1,"x\ny"\n2,z\n1,"x\ny"\n' + b"3,w\n" * 100
    whole = hashes(run(data, 2).chunks, 7)
    assert whole[0] == whole[2] != whole[1]
    assert whole == hashes(run(data.replace(b"\n", b"\r\n"), 2, chunk_bytes=20).chunks, 7)
    assert not set(whole) & set(hashes(run(data, 2).chunks, 8))
    assert whole[1] == np.uint64(xxhash.xxh3_64_intdigest(b"2,z", 7)).astype(np.int64)
    assert record_hashes(only_chunk(b"a,b\n1,2\n"), -3).dtype == np.int64


def test_only_the_records_of_the_mask_are_kept():
    chunk = only_chunk(b"a,b\n1,p\n2,q\n3\n4,r\n5,s\n")
    kept = keep(chunk, np.array([True, False, True, True]))
    assert kept.data == b"1,p\n4,r\n5,s\n"
    assert kept.lines.tolist() == [2, 5, 6]
    assert kept.offsets.tolist() == [0, 4, 8, 12]
    assert kept.malformed == chunk.malformed and kept.consumed == chunk.consumed
    assert keep(chunk, np.zeros(4, bool)).data == b""
    assert keep(chunk, np.ones(4, bool)).data == chunk.data
