"""Sample files are read as a person would: header, rows, and what belongs to neither."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code, FileRefused
from imports.mapping.sniff import Sniffed, sniff
from imports.scan.scanner import scan
from tests.sizes import examples

HERE = Path(__file__).parent
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "corpus.yaml").read_text("utf-8"))
USUAL = {
    "encoding": "utf-8",
    "bom": 0,
    "delimiter": ",",
    "quote": '"',
    "line_end": "lf",
    "header_row": 1,
    "skip_rows": 0,
    "skip_last": 0,
}


def of(data: bytes) -> Sniffed:
    return sniff(io.BytesIO(data), len(data))


def facts(sniffed: Sniffed) -> dict[str, Any]:
    return {
        "encoding": sniffed.dialect.encoding,
        "bom": sniffed.dialect.bom,
        "delimiter": sniffed.dialect.delimiter,
        "quote": sniffed.quote,
        "line_end": sniffed.dialect.line_end,
        "header_row": sniffed.header_row,
        "skip_rows": sniffed.skip_rows,
        "skip_last": len(sniffed.footers),
        "columns": list(sniffed.columns) if sniffed.header_row else len(sniffed.columns),
    }


def test_the_corpus_is_large_and_hardly_ambiguous() -> None:
    files = {path.name for path in (HERE / "corpus").iterdir()} - {".gitattributes"}
    assert files == EXPECTED.keys()
    assert len(files) >= 60
    assert sum("accept" in expected for expected in EXPECTED.values()) <= 5


@pytest.mark.parametrize("name", EXPECTED)
def test_it_reads_the_file_of_the_corpus(name: str) -> None:
    expected = EXPECTED[name]
    accepted = [USUAL | alternative for alternative in expected.get("accept", [expected])]
    assert facts(of((HERE / "corpus" / name).read_bytes())) in accepted


def test_the_first_rows_are_shown_without_title_and_footer() -> None:
    sniffed = of((HERE / "corpus" / "title_and_total.csv").read_bytes())
    assert sniffed.first_rows == (
        ("100", "BIO", "12,5"),
        ("101", "CHE", "30,0"),
        ("102", "MAT", "18,0"),
    )
    assert sniffed.notes == (
        "Skipped before the header: 2 lines.",
        'Skipped at the end because it is a footer and not a row: "60,5".',
        'Skipped at the end because it is a footer and not a row: "Gesamt: 3".',
    )


def test_a_file_without_header_has_numbered_columns_and_says_so() -> None:
    sniffed = of((HERE / "corpus" / "no_header.csv").read_bytes())
    assert sniffed.columns == ("Column 1", "Column 2", "Column 3", "Column 4")
    assert sniffed.first_rows[0][1] == "Ada"
    assert any("looks like data" in note for note in sniffed.notes)


def test_a_clear_file_is_surer_than_a_doubtful_one() -> None:
    clear = of((HERE / "corpus" / "plain_comma.csv").read_bytes())
    doubtful = of((HERE / "corpus" / "text_without_known_words.csv").read_bytes())
    assert clear.confidence >= 0.9 > doubtful.confidence


def test_footers_are_found_at_the_end_of_a_large_file() -> None:
    rows = b"".join(b"%08d,Ada,Lovelace,ada@example.edu\n" % i for i in range(40_000))
    sniffed = of(b"Id,First,Last,Email\n" + rows + b"\nTotal: 40000\n-- end --\n")
    assert (len(sniffed.footers), sniffed.header_row) == (2, 1)
    assert len(sniffed.first_rows) == 20


class Counting(io.BytesIO):
    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


def test_it_reads_a_bounded_sample() -> None:
    source = Counting(b"a,b\n" + b"1,2\n" * 3_000_000)
    sniff(source, len(source.getvalue()))
    assert source.total < 1_800_000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.EMPTY_FILE),
        (b"%PDF-1.7\n", Code.NOT_TEXT),
        (b"PK\x03\x04" + b"xl/workbook.xml" + bytes(50), Code.SPREADSHEET),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, code: Code) -> None:
    with pytest.raises(FileRefused) as refused:
        of(data)
    assert refused.value.issues[0].code is code


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=examples(300), deadline=None)
def test_any_bytes_are_sniffed_or_refused(data: bytes) -> None:
    try:
        sniffed = of(data)
    except FileRefused as refused:
        assert refused.issues[0].message
    else:
        assert sniffed.columns
        assert 0 <= sniffed.confidence <= 1


@given(
    st.lists(st.text("ab1,;|\t\" '\r\n=-:.@", max_size=30), min_size=1, max_size=12).map("\n".join)
)
@settings(max_examples=examples(500), deadline=None)
def test_any_text_of_awkward_characters_is_sniffed_or_refused(text: str) -> None:
    try:
        sniffed = of(text.encode())
    except FileRefused as refused:
        assert refused.issues[0].code is Code.EMPTY_FILE
    else:
        assert sniffed.columns


def table(delimiter: str, **options: Any) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, **options)
    writer.writerow(["Id", "First Name", "Start", "Note"])
    writer.writerows([[f"p{n}", "Ann Lee", "10:05", "a; b, c ^ d ~ e"] for n in range(30)])
    return out.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", ":", "^", "~"])
def test_the_delimiter_is_the_one_under_which_all_records_agree(delimiter: str) -> None:
    sniffed = of(table(delimiter))
    assert sniffed.dialect.delimiter == delimiter
    assert sniffed.columns == ("Id", "First Name", "Start", "Note")


@pytest.mark.parametrize("other", [";", "|", "\t"])
@pytest.mark.parametrize("items", [2, 4, 6])
def test_a_list_in_a_cell_does_not_decide_the_delimiter(other: str, items: int) -> None:
    groups = other.join(["chess", "choir", "band", "run", "math", "art"][:items])
    rows = "".join(f"k{n},Iris{n},Moreno,iris{n}@oak.example,{groups}\n" for n in range(7))
    sniffed = of(f"PersonIdentifier,FirstName,LastName,Email,Groups\n{rows}".encode())
    assert (sniffed.dialect.delimiter, sniffed.header_row, len(sniffed.columns)) == (",", 1, 5)


def test_it_is_only_sure_of_what_nothing_contradicts() -> None:
    header, row = "PersonIdentifier,FirstName,LastName,Email\n", "k1,Iris,Moreno,i@oak.example\n"
    clear = of((header + row * 9).encode())
    assert clear.confidence >= 0.9
    for doubtful in (
        row * 9,
        header + row * 4 + "k2,Ann\n" * 3,
        "Staff of Oak, 2026\n\n" + header + row,
        "a,b;c,d\n1,2;3,4\n5,6;7,8\n",
    ):
        assert of(doubtful.encode()).confidence < 0.9


def test_quotes_escaped_with_a_backslash_are_part_of_the_value() -> None:
    text = '"Id","Name"\n"1","Ann \\"Nan\\" Lee"\n"2","C:\\\\dir"\n'
    sniffed = of(text.encode())
    assert sniffed.dialect.escaped
    assert sniffed.first_rows == (("1", 'Ann "Nan" Lee'), ("2", "C:\\dir"))
    for chunk_bytes in (1, 7, 1 << 20):
        chunks = scan(io.BytesIO(text.encode()), sniffed.dialect, 2, chunk_bytes=chunk_bytes)
        data = b"".join(chunk.data for chunk in chunks)
        assert data == b'"1","Ann ""Nan"" Lee"\n"2","C:\\dir"\n'
    assert not of(b'"Id","Name"\n"1","C:\\dir\\"\n"2","a ""b"" c"\n').dialect.escaped


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_quotes_around_whole_lines_are_taken_off_and_told(delimiter: str) -> None:
    rows = [["Id", "Name", "Mail"], ["1", f'""Lee{delimiter} Ann""', "a@x.org"], ["2", "Bo", ""]]
    sniffed = of("".join(f'"{delimiter.join(row)}"\n' for row in rows).encode())
    assert (sniffed.columns, sniffed.header_row) == (("Id", "Name", "Mail"), 1)
    assert sniffed.first_rows[0] == ("1", f"Lee{delimiter} Ann", "a@x.org")
    assert "Each whole line stands in quotation marks; they were taken off." in sniffed.notes


@pytest.mark.parametrize("at", range(3))
def test_a_stray_quote_in_the_header_hides_no_name(at: int) -> None:
    names = ["Id", "Name", "Mail"]
    names[at] = f'"{names[at]}'
    sniffed = of((",".join(names) + '\n1,"Lee, Ann",a@x.org\n2,Bo,b@x.org\n').encode())
    assert (sniffed.columns, sniffed.header_row) == (("Id", "Name", "Mail"), 1)


def test_padding_behind_each_row_makes_no_column() -> None:
    sniffed = of(b"# Code; Title; Credits\nBIO101; Cells; 3; ; \nBIO102; Genes; ; ; \n")
    assert (sniffed.columns, sniffed.header_row) == (("# Code", "Title", "Credits"), 1)
    assert sniffed.first_rows == (("BIO101", "Cells", "3"), ("BIO102", "Genes", ""))


def test_an_address_of_a_page_is_no_name_of_a_column() -> None:
    rows = (
        b"Magic,Nick,http://a.example/x\nZoo,Alex,http://a.example/y\nNow,Jo,http://a.example/z\n"
    )
    assert of(rows).header_row == 0
    assert of(b"Talk,Speaker,Page\n" + rows).header_row == 1


def test_a_title_is_none_however_few_values_the_rows_have() -> None:
    text = "Meetings,,,,\nName,Date,Group,Purpose,\nAnn,Oct-14,Oak,Talk,\n" + ",,Elm,,\n" * 9
    sniffed = of(text.encode())
    assert (sniffed.skip_rows, sniffed.header_row) == (1, 1)
    assert sniffed.columns[:4] == ("Name", "Date", "Group", "Purpose")


def test_names_that_count_on_are_a_header() -> None:
    assert of(b"Student,2019,2020,2021\nAnn,10,14,9\nBo,7,5,6\n").header_row == 1
    assert of(b"Name,1,2,3,4\nAnn,10,14,9,\nBo,7,5,6,2\n").header_row == 1
    assert of(b"Ann,1,2,3,x@a.org\nBo,4,5,6,y@a.org\n").header_row == 0
    assert of(b"7,1,2,4\n8,4,5,9\n").header_row == 0
    assert of(b"9" * 5000 + b",1\n2,3\n").header_row == 0
