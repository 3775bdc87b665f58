"""Workbooks become CSV as a person would save it; bombs and damaged ones are refused in words."""

from __future__ import annotations

import csv
import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from imports.issues import Code, FileRefused
from imports.mapping.sheet_values import format_kind, number_text
from imports.mapping.sheets import sheets, to_csv
from imports.mapping.sniff import sniff
from tests.sizes import examples, scaled

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINK = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
    "</Relationships>"
)
BOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
    '<sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>'
)


def workbook(fill: Callable[[Any], None], **options: Any) -> io.BytesIO:
    """A workbook as a real writer makes it."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, **options}) as book:
        fill(book)
    return out


def one_sheet(*rows: list[Any], **options: Any) -> io.BytesIO:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("One")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)

    return workbook(fill, **options)


def by_hand(sheet: str, *, book: str = BOOK, **parts: str | bytes) -> io.BytesIO:
    """A workbook part by part, as no good program would write it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", book)
        archive.writestr("xl/_rels/workbook.xml.rels", LINK)
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        for name, data in parts.items():
            archive.writestr(f"xl/{name}.xml", data)
    return out


def data(rows: str) -> str:
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def text_of(source: io.BytesIO, sheet: str | int | None = None) -> str:
    target = io.BytesIO()
    to_csv(source, sheet, target)
    return target.getvalue().decode()


def rows_of(source: io.BytesIO, sheet: str | int | None = None) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text_of(source, sheet), newline="")))


def refusal(source: io.BytesIO, sheet: str | int | None = None) -> tuple[Code, str]:
    with pytest.raises(FileRefused) as refused:
        to_csv(source, sheet, io.BytesIO())
    (issue,) = refused.value.issues
    return issue.code, issue.message


def test_texts_stay_as_they_are() -> None:
    rows = [["Id", "Name", "Note"], ["00012345", "Núñez, Sofía", 'a "b"\nc'], ["1E5", "=1+1", " x"]]

    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)

    assert rows_of(workbook(fill)) == rows


def test_a_writer_without_shared_texts_is_read_too() -> None:
    rows = [["Id", "Name"], ["007", "Sofía"]]
    assert rows_of(one_sheet(*rows, constant_memory=True)) == rows


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (12345, "12345"),
        (5.0, "5"),
        (0.1 + 0.2, "0.3"),
        (4.35, "4.35"),
        (-0.5, "-0.5"),
        (123456789012345, "123456789012345"),
        (1e15, "1000000000000000"),
        (0.00001, "0.00001"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_numbers_and_booleans_are_written_as_a_person_reads_them(number: float, text: str) -> None:
    assert rows_of(one_sheet(["Value"], [number])) == [["Value"], [text]]


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (date(2026, 8, 24), "yyyy-mm-dd", "2026-08-24"),
        (date(2026, 8, 24), "m/d/yy", "2026-08-24"),
        (date(2026, 8, 24), "[$-407]d. mmmm yyyy;@", "2026-08-24"),
        (date(1900, 2, 28), "d.m.yyyy", "1900-02-28"),
        (date(1900, 3, 1), "d.m.yyyy", "1900-03-01"),
        (datetime(2026, 8, 24, 6, 30), "yyyy-mm-dd hh:mm", "2026-08-24T06:30:00"),
        (datetime(2026, 8, 24, 23, 59, 59), "m/d/yy h:mm AM/PM", "2026-08-24T23:59:59"),
        (time(6, 30), "hh:mm", "06:30:00"),
        (timedelta(hours=26, minutes=5), "[h]:mm:ss", "26:05:00"),
        (12345, "00000000", "00012345"),
        (0.5, "0%", "0.5"),
        (1234.5, '#,##0.00 "days"', "1234.5"),
        (3, "General", "3"),
        (7, '"Grade "0', "7"),
    ],
)
def test_formats_decide_what_is_a_date(value: Any, number_format: str, text: str) -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        shown = book.add_format({"num_format": number_format})
        sheet.write(0, 0, "Value")
        sheet.write(1, 0, value, shown)

    assert rows_of(workbook(fill)) == [["Value"], [text]]


def test_the_calendar_of_1904_is_known() -> None:
    def fill(book: Any) -> None:
        shown = book.add_format({"num_format": 14})
        book.add_worksheet().write(0, 0, date(2026, 8, 24), shown)

    assert rows_of(workbook(fill, date_1904=True)) == [["2026-08-24"]]


def test_formulas_give_the_values_saved_with_them() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write_formula(0, 0, "=1+2", None, 3)
        sheet.write_formula(0, 1, '="a"&"b"', None, "ab")
        sheet.write_formula(0, 2, "=1/0", None, "#DIV/0!")

    assert rows_of(workbook(fill)) == [["3", "ab", "#DIV/0!"]]


def test_a_merged_area_has_its_value_once() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 2, "Roster of 2026")
        sheet.write_row(1, 0, ["Id", "First", "Last"])
        sheet.merge_range(2, 0, 3, 0, "1")
        sheet.write_row(2, 1, ["Ada", "Lovelace"])
        sheet.write_row(3, 1, ["Emmy", "Noether"])

    assert text_of(workbook(fill)) == (
        "Roster of 2026,,\nId,First,Last\n1,Ada,Lovelace\n,Emmy,Noether\n"
    )


def test_blank_rows_stay_so_that_lines_are_rows() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Id", "Name"])
        sheet.write_row(4, 0, [1, "Ada"])
        sheet.write_row(6, 1, ["Emmy"])
        sheet.write_blank(9, 5, None, book.add_format({"bold": True}))

    assert text_of(workbook(fill)) == "Id,Name\n\n\n\n1,Ada\n\n,Emmy\n"


def test_no_row_is_lost_behind_those_that_are_measured() -> None:
    rows = rows_of(one_sheet(["Id", "Note"], *([number] for number in range(250))))
    assert rows == [["Id", "Note"], *([str(number), ""] for number in range(250))]


def test_a_preview_has_the_first_rows_only() -> None:
    source = one_sheet(["Id", "Note"], *([number] for number in range(250)))
    target = io.BytesIO()
    to_csv(source, None, target, rows=3)
    assert target.getvalue() == b"Id,Note\n0,\n1,\n"


def three_sheets() -> io.BytesIO:
    def fill(book: Any) -> None:
        for name in ("Cover", "Hidden data", "Año & más"):
            book.add_worksheet(name).write(0, 0, f"in {name}")
        book.get_worksheet_by_name("Hidden data").hide()
        book.add_chartsheet("Chart")

    return workbook(fill)


def test_it_names_the_sheets_and_hidden_ones_too() -> None:
    assert sheets(three_sheets()) == ["Cover", "Hidden data", "Año & más"]


@pytest.mark.parametrize(
    ("sheet", "text"),
    [
        (None, "in Cover\n"),
        (2, "in Hidden data\n"),
        ("Año & más", "in Año & más\n"),
    ],
)
def test_it_reads_the_chosen_sheet(sheet: str | int | None, text: str) -> None:
    assert text_of(three_sheets(), sheet) == text


@pytest.mark.parametrize("sheet", ["cover", "", 0, 4, -1])
def test_it_refuses_a_sheet_that_is_not_there_and_names_those_that_are(sheet: str | int) -> None:
    code, message = refusal(three_sheets(), sheet)
    assert code is Code.SPREADSHEET
    assert '"Cover", "Hidden data"' in message


def test_it_refuses_a_blank_sheet() -> None:
    code, message = refusal(one_sheet())
    assert code is Code.EMPTY_FILE
    assert "another sheet" in message


def test_a_sheet_with_a_title_is_sniffed_as_a_file_is() -> None:
    source = one_sheet(
        ["Student roster"],
        [],
        ["PersonIdentifier", "FirstName", "Email"],
        ["00012345", "Ada", "ada@example.edu"],
        ["00012346", "Emmy", "emmy@example.edu"],
    )
    target = io.BytesIO()
    to_csv(source, None, target)
    sniffed = sniff(target, target.tell())
    assert sniffed.columns == ("PersonIdentifier", "FirstName", "Email")
    assert (sniffed.skip_rows, sniffed.header_row, len(sniffed.first_rows)) == (2, 1, 2)


def test_prefixes_rich_texts_and_pronunciations_do_no_harm() -> None:
    texts = (
        f'<x:sst xmlns:x="{MAIN}"><x:si><x:r><x:t>Ada </x:t></x:r><x:r><x:t>L.</x:t></x:r>'
        "<x:rPh><x:t>noise</x:t></x:rPh></x:si></x:sst>"
    )
    sheet = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row><x:c t="s"><x:v>0</x:v></x:c>'
        '<x:c t="inlineStr"><x:is><x:t>x</x:t></x:is></x:c></x:row></x:sheetData></x:worksheet>'
    )
    assert text_of(by_hand(sheet, sharedStrings=texts)) == "Ada L.,x\n"


ROW = '<row r="1"><c r="A1"><v>1</v></c></row>'
ENTITY = '<!DOCTYPE a [<!ENTITY x "xxxx">]>'


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (io.BytesIO(b"PK\x03\x04 and nothing more"), "damaged"),
        (io.BytesIO(b"a,b\n1,2\n"), "not an XLSX file"),
        (io.BytesIO(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "old XLS"),
        (by_hand(ENTITY + data(ROW)), "entities"),
        (by_hand(data(ROW), book=ENTITY + BOOK), "entities"),
        (by_hand("<worksheet><sheetData>"), "not well-formed"),
        (by_hand(data('<row r="1"><c r="A1" t="s"><v>7</v></c></row>')), "text 7"),
        (by_hand(data('<row r="1"><c r="A1" t="s"><v>x</v></c></row>')), "not well-formed"),
        (by_hand(data('<row r="2000000"><c><v>1</v></c></row>')), "out of order"),
        (by_hand(data('<row r="2"/><row r="1"/>')), "out of order"),
        (by_hand(data('<row><c r="XFE1"><v>1</v></c></row>')), "1,000"),
        (by_hand(data('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>')), "out of order"),
        (by_hand(data('<row><c r="ÀÀ1"><v>1</v></c></row>')), "which does not exist"),
        (by_hand(data(ROW), book=BOOK.replace("r1", "r9")), "no sheet"),
    ],
)
def test_a_workbook_that_cannot_be_read_is_refused_in_words(source: io.BytesIO, words: str) -> None:
    code, message = refusal(source)
    assert code is Code.SPREADSHEET
    assert words in message
    assert "CSV" in message or "Choose" in message


def many_parts() -> io.BytesIO:
    return by_hand(data(ROW), **{f"extra{number}": "x" for number in range(1_000)})


def packed_tight() -> io.BytesIO:
    return by_hand(data(ROW), media=bytes(20 << 20))


def endless_text() -> io.BytesIO:
    noise = "".join(chr(97 + number * number % 23) for number in range(6 << 20))
    return by_hand(
        data(f'<row><c t="str"><v>{noise}</v></c></row>'), noise=random.Random(1).randbytes(1 << 20)
    )


def deep() -> io.BytesIO:
    return by_hand(data("<a>" * 100 + "</a>" * 100))


@pytest.mark.parametrize(
    ("bomb", "words"),
    [
        (many_parts, "1,003 parts"),
        (packed_tight, "100 times"),
        (endless_text, "a text of more than"),
        (deep, "nested"),
    ],
)
def test_a_bomb_is_refused(bomb: Callable[[], io.BytesIO], words: str) -> None:
    code, message = refusal(bomb())
    assert code is Code.ARCHIVE
    assert words in message
    assert "CSV" in message


def test_a_size_that_is_a_lie_is_noticed() -> None:
    honest = by_hand(data(ROW * 1 + "<!-- " + "x" * 5_000 + " -->"))
    raw = honest.getvalue()
    size = len(data(ROW) + "<!-- " + "x" * 5_000 + " -->")
    lying = raw.replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little"))
    assert lying != raw
    assert refusal(io.BytesIO(lying))[0] is Code.SPREADSHEET


def test_memory_does_not_grow_with_the_sheet() -> None:
    def peak(rows: int) -> int:
        source = one_sheet(*([number, f"Name {number}"] for number in range(rows)))
        tracemalloc.start()
        to_csv(source, None, io.BytesIO(bytes(8 << 20)))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    few, many = scaled(500, 2_000), scaled(5_000, 20_000)
    assert peak(many) < peak(few) + (scaled(2, 6) << 20)


@given(st.binary(max_size=200))
@settings(max_examples=examples(200), deadline=None)
def test_any_sheet_part_gives_text_or_a_refusal(part: bytes) -> None:
    source = by_hand(part.decode("latin-1"))
    try:
        text_of(source)
    except FileRefused as refused:
        assert refused.issues[0].message


@given(st.text(max_size=60), st.text(max_size=40))
@settings(max_examples=examples(500), deadline=None)
def test_any_number_and_any_format_give_text(raw: str, code: str) -> None:
    assert isinstance(number_text(raw, format_kind(0, code), False), str)


@given(st.decimals(allow_nan=True) | st.floats(), st.sampled_from(["d.m.yyyy", "[h]:mm", "0000"]))
@settings(max_examples=examples(500), deadline=None)
def test_any_amount_gives_text(value: Any, code: str) -> None:
    for from_1904 in (False, True):
        assert number_text(str(value), format_kind(164, code), from_1904)


def text_of_size(characters: int, rows: int, columns: int) -> io.BytesIO:
    """Cells that all point to one text, beside noise, so that the ratio alone does not show it."""
    cells = "".join('<c t="s"><v>0</v></c>' for _ in range(columns))
    return by_hand(
        data("".join(f'<row r="{row}">{cells}</row>' for row in range(1, rows + 1))),
        sharedStrings=f'<sst xmlns="{MAIN}"><si><t>{"x" * characters}</t></si></sst>',
        noise=random.Random(1).randbytes(200_000),
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: text_of_size(3_000_000, 1, 40), "a text of more than"),
        (lambda: text_of_size(60_000, 1, 40), "row 1 has more than"),
        (lambda: text_of_size(30_000, 2_000, 20), "bytes of text"),
        (
            lambda: by_hand(
                data("".join(f'<row><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 9_999)))
            ),
            "a value in column 16,384",
        ),
    ],
)
def test_a_small_workbook_of_much_text_is_refused_soon_and_in_little_memory(
    source: Callable[[], io.BytesIO], words: str
) -> None:
    book = source()
    tracemalloc.start()
    with pytest.raises(FileRefused) as refused:
        to_csv(book, None, io.BytesIO())
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert words in refused.value.issues[0].message
    assert memory < 120 << 20
