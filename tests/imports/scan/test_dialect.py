"""The dialect is guessed from a sample; what is not delimited text is refused with advice."""

from __future__ import annotations

import codecs
import gzip
import io
import random
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code, FileRefused
from imports.scan import cells
from imports.scan.dialect import DELIMITERS, Dialect, DialectHints, detect
from imports.scan.scanner import scan
from tests.sizes import examples

PEOPLE = "Id,Name,City\n1,José Núñez,Cancún\n2,Anna Müller,Köln\n3,“Bo”,Malmö\n"


def detected(data: bytes) -> Dialect:
    return detect(io.BytesIO(data), len(data))


def refusal(data: bytes) -> tuple[Code, str]:
    with pytest.raises(FileRefused) as refused:
        detected(data)
    (issue,) = refused.value.issues
    return issue.code, issue.message


@pytest.mark.parametrize(
    ("data", "encoding", "bom"),
    [
        (PEOPLE.encode(), "utf-8", 0),
        (codecs.BOM_UTF8 + PEOPLE.encode(), "utf-8", 3),
        (codecs.BOM_UTF16_LE + PEOPLE.encode("utf-16-le"), "utf-16-le", 2),
        (codecs.BOM_UTF16_BE + PEOPLE.encode("utf-16-be"), "utf-16-be", 2),
        (PEOPLE.encode("utf-16-le"), "utf-16-le", 0),
        (PEOPLE.encode("utf-16-be"), "utf-16-be", 0),
        (PEOPLE.encode("cp1252"), "cp1252", 0),
        (b"a,b\n1,2\n", "utf-8", 0),
    ],
)
def test_it_finds_the_encoding(data, encoding, bom):
    assert replace(detected(data), guessed=()) == Dialect(encoding, bom, ",")


def test_a_utf8_file_with_a_few_broken_rows_stays_utf8():
    data = PEOPLE.encode() * 20 + b"4,Jos\xe9,Le\xf3n\n"
    assert detected(data).encoding == "utf-8"


def test_windows_1252_is_seen_far_behind_the_head():
    data = b"a,b\n" + b"1,plain text\n" * 400_000 + b"2,Mu\xf1oz\n" * 400_000
    assert detected(data).encoding == "cp1252"


def test_a_character_cut_by_a_window_does_not_make_a_file_windows_1252():
    data = ("a,b\n" + "1,漢字漢字漢字漢\n" * 200_000).encode()
    assert detected(data).encoding == "utf-8"


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_finds_the_delimiter_and_the_line_ends(delimiter, end):
    rows = [["id", "name, or names", "a|b;c"], ["1", 'x"y', "2\t3"], ["2", "1,5", "p;q|r"]]
    text = end.join(
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows
    )
    assert detected(text.encode()) == Dialect(
        "utf-8", 0, delimiter, line_end="cr" if end == "\r" else "lf"
    )


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("price;count;name\n1,5;2;x\n2,5;3;y\n", ";"),
        ("Name, full;Age;City\nA B;3;X\nC D;4;Y\n", ";"),
        ("id|note\n1|a,b,c\n2|d,e\n", "|"),
        ("id,alias|name,x\n1,a|b,2\n2,c|d,3\n", ","),
        ("id\tlist\n1\ta,b\n2\tc,d\n", "\t"),
        ("only\n1\n2\n", ","),
        ("only\nSmith; John\nDoe; Jane\n", ","),
        ("a;b;c", ";"),
        ('a;b\n1;5" pipe, long\n2;6" pipe, short\n3;x\n', ";"),
        ('"a\nb";c\n1;2\n', ";"),
        ('a;"b\n1;2\n3;4\n', ";"),
        ("\n\na;b\n1;2\n", ";"),
    ],
)
def test_the_header_and_the_agreement_of_rows_decide_the_delimiter(text, delimiter):
    assert detected(text.encode()).delimiter == delimiter


def test_line_feeds_inside_quotes_do_not_hide_carriage_return_line_ends():
    assert detected(b'a,b\r1,"x\ny"\r2,z\r').line_end == "cr"
    assert detected(b'a,b\n1,"x\ry"\n').line_end == "lf"


@pytest.mark.parametrize("data", [b"", b" \r\n\t\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_an_empty_file_is_refused(data):
    code, message = refusal(data)
    assert code is Code.EMPTY_FILE
    assert "empty" in message and "expected" in message


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 100)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (zipped("[Content_Types].xml", "xl/workbook.xml"), Code.SPREADSHEET, "save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Code.SPREADSHEET, "save it as CSV"),
        (zipped("people.csv"), Code.ARCHIVE, "Unpack"),
        (gzip.compress(b"a,b\n", mtime=0), Code.ARCHIVE, "Unpack"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), Code.ARCHIVE, "Unpack"),
        (b"%PDF-1.7\n%\xe2\xe3\n", Code.NOT_TEXT, "a PDF document"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), Code.NOT_TEXT, "an image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", Code.NOT_TEXT, "an image"),
        ("a,b\n".encode("utf-32"), Code.NOT_TEXT, "UTF-32"),
        (random.Random(1).randbytes(5000), Code.NOT_TEXT, "binary"),
        (bytes(1000), Code.NOT_TEXT, "binary"),
    ],
)
def test_what_is_not_delimited_text_is_refused_with_advice(data, code, words):
    refused_for, message = refusal(data)
    assert refused_for is code
    assert words in message and "expected a CSV file" in message


def test_a_few_nul_bytes_do_not_refuse_the_file():
    assert detected(b"a,b\n1,x\0\n2,\0\n").encoding == "utf-8"


class Counting(io.BytesIO):
    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


def test_it_reads_a_bounded_sample():
    source = Counting(b"a,b\n" + b"1,2\n" * 3_000_000)
    detect(source, len(source.getvalue()))
    assert source.total < 1_400_000


@given(st.binary(max_size=300))
@settings(max_examples=examples(500), deadline=None)
def test_any_bytes_have_a_dialect_or_a_refusal(data):
    try:
        dialect = detected(data)
    except FileRefused as refused:
        assert refused.issues[0].message
    else:
        assert dialect.delimiter in DELIMITERS
        assert data[dialect.bom :].decode(dialect.encoding, "replace") is not None


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"<html><head></head><body><table><tr><td>a", Code.NOT_TEXT, "web page"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<p>Log in", Code.NOT_TEXT, "web page"),
        (b"<table border=1><tr><td>a", Code.NOT_TEXT, "web page"),
        ("<html><table>".encode("utf-16"), Code.NOT_TEXT, "web page"),
        (
            b'<?xml version="1.0"?>\n<W xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
            Code.SPREADSHEET,
            "XML spreadsheet",
        ),
        (b'<?xml version="1.0"?><people/>', Code.NOT_TEXT, "XML document"),
        (b'<people a="b"><p/></people>', Code.NOT_TEXT, "XML document"),
        (b'[{"id": 1}]', Code.NOT_TEXT, "JSON"),
        (b'{"people": []}', Code.NOT_TEXT, "JSON"),
        (b"{}", Code.NOT_TEXT, "JSON"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", Code.NOT_TEXT, "MHTML"),
        (b"ID;PWXL;N;E\r\nP;PGeneral\r\n", Code.SPREADSHEET, "SYLK"),
        (b"-- dump\nINSERT INTO people VALUES (1);", Code.NOT_TEXT, "SQL"),
        (b"-----BEGIN PGP MESSAGE-----\n\nabc", Code.NOT_TEXT, "PGP"),
        (b"{\\rtf1 x}", Code.NOT_TEXT, "RTF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Code.SPREADSHEET, "XLS"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), Code.ARCHIVE, "gzip"),
    ],
)
def test_a_file_of_another_kind_is_named_as_what_it_is(data, code, words):
    refused_code, message = refusal(data)
    assert refused_code is code
    assert words in message and "expected a CSV file" in message


@pytest.mark.parametrize(
    "data",
    [b"<id>,<name>\n1,2\n", b"ID;Name\nP;1\n", b"{id},{name}\n1,2\n", b"[id],[name]\n1,2\n",
     b"PAR1,PAR2\n1,2\n", b"Insert,Into\n1,2\n", b"begin:,x\n1,2\n", b"-----,-----\n1,2\n"],
)  # fmt: skip
def test_a_csv_file_that_begins_oddly_is_still_one(data):
    assert detected(data).encoding == "utf-8"


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;;", "sep=; "])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_first_line_may_name_the_delimiter(line, mark, end):
    data = mark + end.join([line, "a,x;b", "1,5;2", ""]).encode()
    dialect = detected(data)
    assert (dialect.delimiter, dialect.skip_rows) == (";", 1)


@pytest.mark.parametrize(
    ("name", "delimiter"), [("\\t", "\t"), ("\t", "\t"), ("^", "^"), (":", ":")]
)
def test_a_first_line_may_name_any_delimiter(name, delimiter):
    assert detected(f"sep={name}\na{delimiter}b\n".encode()).delimiter == delimiter


def test_a_template_made_before_the_line_with_the_delimiter_counted_still_fits():
    data = b"sep=;\na;b\n1;2\n"
    for skipped in (0, 1):
        hints = DialectHints(skip_rows=skipped, delimiter=",")
        dialect = detect(io.BytesIO(data), len(data), hints)
        assert (dialect.delimiter, dialect.skip_rows) == (";", 1)


@pytest.mark.parametrize("line", ["sep=ab", "separator;x", "sep=", "a;sep=;"])
def test_other_first_lines_name_no_delimiter(line):
    assert detected(f"{line}\nx;y\n".encode()).skip_rows == 0


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("quote", ['"', "'", ""])
@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
def test_a_blank_behind_each_delimiter_belongs_to_it(
    delimiter: str, quote: str, chunk_bytes: int
) -> None:
    note = f"a{delimiter} b" if quote else "a b"
    rows = [["Id", "Name", "Note"], ["1", "Lee Ann", note], ["2", "", ""], ["3", "x", ""]]
    lines = [
        f"{delimiter} ".join(f"{quote}{v}{quote}" if delimiter in v or v == "x" else v for v in row)
        for row in rows
    ]
    data = "".join(line.rstrip(" ") + "\n" for line in lines).encode()
    dialect = detect(io.BytesIO(data), len(data), DialectHints(quote=quote, delimiter=delimiter))
    assert dialect.spaced
    chunks = list(scan(io.BytesIO(data), dialect, 3, chunk_bytes=chunk_bytes))
    records = b"".join(chunk.data for chunk in chunks).decode().splitlines()
    assert [cells.split(record, delimiter, quote) for record in records] == rows[1:]
    assert not any(chunk.malformed for chunk in chunks)


@pytest.mark.parametrize("text", ["a,b\n1, x\n2,y\n", 'a,b\n1,"x, y"\n', "a\nx y\n", "a b\n1 2\n"])
def test_a_blank_behind_some_delimiters_is_part_of_the_value(text: str) -> None:
    data = text.encode()
    dialect = detect(io.BytesIO(data), len(data))
    assert not dialect.spaced


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("header_row", [0, 1])
def test_lines_that_stand_in_quotes_are_rows(delimiter: str, header_row: int) -> None:
    rows = [["Id", "Name", "Mail"], ["1", f'""Lee{delimiter} Ann""', "x"], ["2", "Bo", ""]]
    data = "".join(f'"{delimiter.join(row)}"\n' for row in rows).encode()
    dialect = detect(io.BytesIO(data), len(data), DialectHints(header_row=header_row))
    assert (dialect.wrapped, dialect.delimiter) == (True, delimiter)


@pytest.mark.parametrize(
    "text",
    [
        '"Name"\n"Lee, Ann"\n"Ng, Bo"\n',
        '"Lee, Ann"\n"Ng, Bo"\n',
        '"Id","Name"\n"1","Lee, Ann"\n',
        '"Place"\n"1 Main St, Springfield, US"\n"2 Oak St, Springfield, US"\n',
        '"Id,Name,Mail"\n1,Lee,x\n',
        '"Id,Name,Mail"\n',
    ],
)
def test_values_in_quotes_are_no_lines_in_quotes(text: str) -> None:
    assert not detected(text.encode()).wrapped
