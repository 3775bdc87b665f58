"""What the sender gets back: the summary and the error attachment."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.check.columns import ATTACHMENT_COLUMNS
from imports.issues import Code, Issue, Severity
from imports.report.attachment_rows import write_attachment
from imports.report.rejects import Reject, RejectSpool, merge, reject_of
from imports.report.summary import Summary
from imports.scan import cells
from imports.scan.dialect import Dialect, detect
from imports.scan.scanner import read_header, scan
from portal.people_csv import restore
from tests.sizes import examples, scaled

COMMA = Dialect("utf-8", 0, ",")


def issue(line: int = 2, column: str | None = "Email", code: Code = Code.REQUIRED, **more) -> Issue:
    return Issue(code, more.pop("message", "It is blank."), line, column, **more)


# --- the summary -------------------------------------------------------------------------------


def test_issues_are_grouped_by_cause_the_largest_first():
    summary = Summary()
    summary.add(issue(2, "Name", value="x"))
    for line in range(10, 17):
        summary.add(issue(line, value=f"v{line}"))
    summary.add(issue(5, severity=Severity.WARNING))
    email, name, warning = summary.groups()
    assert (email.column, email.count, email.message) == ("Email", 7, "It is blank.")
    assert email.examples == [(n, f"v{n}") for n in range(10, 15)]
    assert (name.column, name.count, name.severity) == ("Name", 1, Severity.ERROR)
    assert warning.severity is Severity.WARNING


def test_many_issues_at_once_count_as_one_by_one():
    single, many = Summary(), Summary()
    for line in range(100):
        single.add(issue(line, value=f"v{line}"))
    for lines in (range(3), range(3, 100), range(0)):
        values = [f"v{n}" for n in lines]
        many.add_many(Code.REQUIRED, "Email", Severity.ERROR, "It is blank.", lines, values)
    assert single.groups() == many.groups()


SEVERAL_CAUSES = [
    (Code.SPREADSHEET_DAMAGE, '"Key" is "1E+12": its digits are lost.', "1E+12"),
    (Code.SPREADSHEET_DAMAGE, '"Key" is "#N/A", which is an error.', "#N/A"),
    (Code.OTHER_LAYOUT, "The columns are separated by tabs, expected were commas.", ""),
    (Code.OTHER_LAYOUT, 'The header is in line 2. Left out above it: line 1: "List".', ""),
    (Code.NOT_A_DATE, '"Key" is "3-ene-27". Write the month as a number.', "3-ene-27"),
    (Code.NOT_A_DATE, '"Key" is "31.12.2027". Write 2027-12-31.', "31.12.2027"),
]


def test_causes_of_one_code_keep_their_own_sentences():
    """Whoever is shown one cure for all rows corrects the others wrongly."""
    summary = Summary()
    for number, (code, message, value) in enumerate(SEVERAL_CAUSES):
        summary.add(issue(number, code=code, message=message, value=value))
    messages = sorted(message for _, message, _ in SEVERAL_CAUSES)
    assert sorted(group.message for group in summary.groups()) == messages


SAME_CAUSE = [
    ('"Key" is "31.12.2027". Write 2027-12-31.', "31.12.2027"),
    ('"Key" is "30.11.26". Write 2026-11-30.', "30.11.26"),
    ('"Key" is "a "nick" name". Write 2026-11-30.', 'a "nick" name'),
]


def test_other_values_are_no_other_cause():
    summary = Summary()
    for number, (message, value) in enumerate(SAME_CAUSE):
        summary.add(issue(number, message=message, value=value))
    for byte in ("F1", "FF", "89"):
        message = f"The first is byte {byte} in cell 2, line 4."
        summary.add(issue(9, code=Code.BAD_ENCODING, message=message))
    assert [group.count for group in summary.groups()] == [3, 3]


def test_the_causes_of_a_code_are_bounded():
    summary = Summary()
    for number in range(1_000):
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        summary.add(issue(number, message=f"It is {letters}."))
    assert len(summary.groups()) <= 21
    assert sum(group.count for group in summary.groups()) == 1_000


def test_the_summary_is_bounded():
    summary = Summary()
    for number in range(10_000):
        summary.add(issue(number, f"column {number}", value="x" * 1000))
    groups = summary.groups()
    assert len(groups) <= 2_100
    assert sum(group.count for group in groups) == 10_000
    assert groups[0].column is None and groups[0].count > 7_000
    assert all(len(value) <= 200 for group in groups for _, value in group.examples)


# --- the spool ---------------------------------------------------------------------------------

ISSUES = st.builds(
    Issue,
    st.sampled_from(Code),
    st.text(max_size=20),
    st.none() | st.integers(1, 1 << 40),
    st.none() | st.text(max_size=5),
    st.text(max_size=20),
    st.sampled_from(Severity),
)
REJECTS = st.builds(
    Reject, st.integers(1, 1 << 40), st.binary(max_size=50), st.lists(ISSUES).map(tuple)
)


@given(st.lists(REJECTS, max_size=10))
@settings(max_examples=examples(100), deadline=None)
def test_the_spool_gives_back_what_it_was_given(tmp_path_factory, rejects):
    rejects = sorted(rejects, key=lambda reject: reject.line)
    with RejectSpool(tmp_path_factory.getbasetemp()) as spool:
        for reject in rejects:
            spool.add(reject)
        assert list(spool) == rejects
        assert list(spool) == rejects
        assert len(spool) == len(rejects)


def test_the_spool_refuses_lines_out_of_order_and_leaves_no_file(tmp_path):
    with RejectSpool(tmp_path) as spool:
        spool.add(Reject(5, b"x", ()))
        spool.add(Reject(5, b"y", ()))
        with pytest.raises(ValueError, match="line 4 after line 5"):
            spool.add(Reject(4, b"z", ()))
        assert [reject.raw for reject in spool] == [b"x", b"y"]
    assert list(tmp_path.iterdir()) == []


def test_the_spool_and_the_attachment_need_no_memory_that_grows(tmp_path):
    rows = scaled(5_000, 20_000)
    with RejectSpool(tmp_path) as spool, (tmp_path / "out.csv").open("wb") as out:
        tracemalloc.start()
        for line in range(1, rows + 1):
            spool.add(Reject(line, b"1," + b"x" * 400, (issue(line),)))
        assert write_attachment(out, ["a", "b"], ",", merge(spool, [])) == rows
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "out.csv").stat().st_size > rows * 400  # twice the peak and more
    assert peak < 1_000_000


# --- early and late ----------------------------------------------------------------------------


def test_rejects_of_one_line_are_joined():
    first, second = issue(3), issue(3, "Name")
    early = [Reject(1, b"a", (issue(1),)), Reject(3, b"c", (first,))]
    late = [Reject(2, b"b", (issue(2),)), Reject(3, b"c", (second,)), Reject(9, b"z", ())]
    merged = list(merge(early, late))
    assert [reject.line for reject in merged] == [1, 2, 3, 9]
    assert merged[2] == Reject(3, b"c", (first, second))


# --- the attachment ----------------------------------------------------------------------------


def attachment(header: list[str], rejects: list[Reject], delimiter: str = ",") -> bytes:
    out = io.BytesIO()
    assert write_attachment(out, header, delimiter, rejects) == len(rejects)
    return out.getvalue()


def table(data: bytes, delimiter: str = ",") -> list[list[str]]:
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    return list(csv.reader(text, delimiter=delimiter, strict=True))


def test_the_attachment_has_the_original_columns_and_one_row_a_record():
    rejects = [
        Reject(4, b'1,"x, y"', (issue(4), issue(4, "Name", Code.TOO_LONG, message="Too long."))),
        Reject(9, b"2,=1+1", (issue(9),)),
    ]
    assert table(attachment(["ID", " Odd name"], rejects)) == [
        ["ID", " Odd name", "_line", "_column", "_code", "_error"],
        ["1", "x, y", "4", "Email; Name", "required; too_long", "It is blank. | Too long."],
        ["2", "'=1+1", "9", "Email", "required", "It is blank."],
    ]


def test_the_attachment_keeps_the_delimiter_and_begins_with_a_mark():
    data = attachment(["a", "b"], [Reject(2, b"1;2,5", (issue(),))], ";")
    assert data.startswith(b"\xef\xbb\xbfa;b;_line;_column;_code;_error\r\n1;2,5;2;")


def test_malformed_records_keep_what_fits_and_say_where_the_rest_is():
    rejects = [
        Reject(2, b"1", (issue(),)),
        Reject(3, b"1,2,3,4", (issue(3),)),
        Reject(4, b'1,"open', (issue(4),)),
        Reject(5, b"1,caf\xe9\0", (issue(5),)),
        Reject(6, b"", (issue(6),)),
    ]
    rows = table(attachment(["a", "b"], rejects))[1:]
    assert [row[:2] for row in rows] == [
        ["1", ""], ["1", "2,3,4"], ["1", "open"], ["1", "caf\ufffd\ufffd"], ["", ""]
    ]  # fmt: skip
    remark = "The row's 2 extra cells are at the end of the last column here."
    assert rows[1][5] == f"It is blank. | {remark}"


def test_one_extra_cell_is_one() -> None:
    rows = table(attachment(["a", "b"], [Reject(2, b"1,2,3", (issue(),))]))
    assert rows[1][5].endswith("The row's 1 extra cell is at the end of the last column here.")


def test_an_attachment_that_fails_again_has_the_report_columns_once():
    first = attachment(["a", "b"], [Reject(2, b"1,x", (issue(),))])
    dialect = detect(io.BytesIO(first), len(first))
    header = read_header(io.BytesIO(first), dialect).cells
    (chunk,) = scan(io.BytesIO(first), dialect, len(header))
    again = attachment(list(header), [Reject(2, chunk.data[:-1], (issue(),))])
    assert again == first


CELLS = st.text(st.sampled_from("ab\"',;|\t\n =+-@1é漢"), max_size=10)


@given(
    rows=st.integers(2, 4).flatmap(
        lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=10)
    ),
    delimiter=st.sampled_from(",;\t|"),
)
@settings(max_examples=examples(300), deadline=None)
def test_an_attachment_dropped_again_reads_as_the_original_rows(rows, delimiter):
    header = [f"Column {n}" for n in range(len(rows[0]))]
    raws = [delimiter.join(cells.quoted(cell, delimiter) for cell in row) for row in rows]
    rejects = [Reject(n, raw.encode(), (issue(n),)) for n, raw in enumerate(raws, start=2)]
    data = attachment(header, rejects, delimiter)
    dialect = detect(io.BytesIO(data), len(data))
    assert dialect == Dialect("utf-8", 3, delimiter)
    names = read_header(io.BytesIO(data), dialect).cells
    assert names == (*header, *ATTACHMENT_COLUMNS)
    read = []
    for chunk in scan(io.BytesIO(data), dialect, len(names), chunk_bytes=50):
        assert not chunk.malformed
        for start, end in zip(chunk.offsets[:-1], chunk.offsets[1:], strict=True):
            record = cells.split(chunk.data[start : end - 1].decode(), delimiter)
            read.append([restore(cell) for cell in record[: len(header)]])
    assert read == rows


def test_a_corrected_attachment_of_cut_rows_is_read_without_cuts():
    data = b'a,b\n1,x\n2\n3,"p"q\n4,r,s\n5,"open\n6,\xff\n7,y\n'
    cuts = [reject_of(cut) for chunk in scan(io.BytesIO(data), COMMA, 2) for cut in chunk.malformed]
    assert [cut.line for cut in cuts] == [3, 4, 5, 6, 7]
    again = attachment(["a", "b"], cuts)
    chunks = list(scan(io.BytesIO(again), Dialect("utf-8", 3, ","), 6))
    assert sum(chunk.lines.size for chunk in chunks) == 5
    assert not [cut for chunk in chunks for cut in chunk.malformed]


@given(st.text(st.sampled_from('ab",\n '), max_size=30))
@settings(max_examples=examples(500))
def test_splitting_any_text_loses_nothing_but_quotes_delimiters_and_blanks(text):
    parts = cells.split(text, ",")
    letters = str.maketrans("", "", '", ')
    assert "".join(parts).translate(letters) == text.translate(letters)
    assert cells.split(",".join(cells.quoted(part, ",") for part in parts), ",") == parts


def test_padding_of_a_record_is_left_out_of_the_attachment_too():
    rejects = [Reject(2, b'1,"x, y",,', (issue(2),)), Reject(3, b"2,z,,w", (issue(3),))]
    rows = table(attachment(["a", "b"], rejects))
    assert rows[1][:3] == ["1", "x, y", "2"]
    assert rows[2][1] == "z,,w"
