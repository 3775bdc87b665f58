"""A sheet of an XLSX workbook as a CSV stream, in bounded memory.

Decisions: a merged area has its value in its first cell, as when a spreadsheet program saves CSV.
A blank row stays a blank line, so that line numbers are row numbers (save for cells of several
lines). The widest of the first hundred rows is the width that shorter rows are filled up to.
Formulas give the values that were saved with them. Pure.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import BinaryIO
from xml.sax.xmlreader import AttributesImpl

from imports.issues import SHOWN_CHARACTERS, Code, FileRefused, Issue
from imports.mapping.sheet_parts import MOST_RATIO, Elements, bomb, open_zip, stream, unreadable
from imports.mapping.sheet_values import number_text
from imports.mapping.workbook import Texts, Workbook, read_texts, read_workbook
from imports.scan import cells
from imports.scan.chunks import DEFAULT_LIMITS

__all__ = ["sheets", "to_csv"]

MOST_ROWS = 1_048_576  # Excel's own limit
MOST_COLUMNS = DEFAULT_LIMITS.columns
MOST_WRITTEN = 2 << 30  # bytes of CSV
_FREE_WRITTEN = 32 << 20  # bytes of CSV that a workbook of any size may have
_MEASURED = 100  # rows


def sheets(source: BinaryIO) -> list[str]:
    """The names of the workbook's sheets in their order, also hidden ones, without charts.

    Raises FileRefused (SPREADSHEET for one that cannot be read, ARCHIVE for one that is a bomb).
    """
    with open_zip(source) as archive:
        return [name for name, _ in read_workbook(archive).sheets]


def to_csv(
    source: BinaryIO, sheet: str | int | None, target: BinaryIO, *, rows: int | None = None
) -> None:
    """Write a sheet as CSV: UTF-8, commas, LF. sheet: name, number from 1, or None for the first.

    rows: at most so many lines, for a preview; None for all.
    Raises FileRefused as `sheets` does, also where there is no such sheet or the sheet is blank.
    The content of the target is then of no use.
    """
    with open_zip(source) as archive:
        workbook = read_workbook(archive)
        part = _chosen(workbook, sheet)
        with Texts() as texts:
            read_texts(archive, workbook, texts)
            reader = _SheetReader(workbook, texts)
            most = min(MOST_WRITTEN, max(_FREE_WRITTEN, source.seek(0, 2) * MOST_RATIO))
            _write(_with_padding(islice(_rows(archive, part, reader), rows)), target, most)


def _chosen(workbook: Workbook, sheet: str | int | None) -> str:
    """The part of the chosen sheet."""
    names = [name for name, _ in workbook.sheets]
    if sheet is None:
        return workbook.sheets[0][1]
    if isinstance(sheet, str) and sheet in names:
        return workbook.sheets[names.index(sheet)][1]
    if isinstance(sheet, int) and 1 <= sheet <= len(names):
        return workbook.sheets[sheet - 1][1]
    listed = ", ".join(f'"{name[:50]}"' for name in names[:10])
    named = f'"{sheet[:50]}"' if isinstance(sheet, str) else f"number {sheet}"
    raise FileRefused(
        Issue(
            Code.SPREADSHEET,
            f"The workbook has no sheet {named}; it has {listed}. Choose one of these, or rename "
            "the sheet.",
            value=listed[:SHOWN_CHARACTERS],
        )
    )


class _SheetReader(Elements):
    """A sheet: finished rows are collected in `rows`, each with its number, until they are read."""

    def __init__(self, workbook: Workbook, texts: Texts) -> None:
        super().__init__()
        self.rows: list[tuple[int, list[str]]] = []
        self._workbook = workbook
        self._texts = texts
        self._number = 0
        self._row: list[str] = []
        self._column = -1
        self._size = 0  # characters of the row
        self._type = ""
        self._style = ""
        self._parts: list[str] = []
        self._taken = self._phonetic = False

    def begin(self, name: str, attrs: AttributesImpl) -> None:
        if name == "c":
            place = attrs.get("r")
            self._column = _column(place) if place else self._column + 1
            self._type, self._style = attrs.get("t", "n"), attrs.get("s", "0")
            self._parts = []
        elif name == "v" or (name == "t" and not self._phonetic):
            self._taken = True
        elif name == "rPh":
            self._phonetic = True
        elif name == "row":
            self._begin_row(attrs.get("r"))

    def text(self, content: str) -> None:
        if self._taken:
            self._parts.append(content)

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._taken = False
        elif name == "c":
            self._end_cell()
        elif name == "rPh":
            self._phonetic = False
        elif name == "row":
            while self._row and not self._row[-1]:
                self._row.pop()
            self.rows.append((self._number, self._row))

    def _begin_row(self, number: str | None) -> None:
        last = self._number
        self._number = int(number) if number and number.isdecimal() else last + 1
        if not last < self._number <= MOST_ROWS:
            raise unreadable(f"its rows are out of order, or more than {MOST_ROWS:,}")
        self._row, self._column, self._size = [], -1, 0

    def _end_cell(self) -> None:
        text = self._text("".join(self._parts))
        if not text:
            return
        if self._column >= MOST_COLUMNS:
            raise unreadable(
                f"row {self._number:,} has a value in column {self._column + 1:,}, the most a file"
                f" may have is {MOST_COLUMNS:,}"
            )
        if len(self._row) > self._column:
            raise unreadable("its cells are out of order")
        self._size += len(text)
        if self._size > DEFAULT_LIMITS.record:
            raise bomb(f"row {self._number:,} has more than {DEFAULT_LIMITS.record:,} characters")
        self._row.extend([""] * (self._column - len(self._row)))
        self._row.append(text)

    def _text(self, raw: str) -> str:
        if not raw:
            return ""
        if self._type == "s":
            return self._texts.get(int(raw))
        if self._type == "b":
            return "true" if raw.strip() == "1" else "false"
        if self._type == "n":
            kinds, style = self._workbook.formats, int(self._style)
            kind = kinds[style] if style < len(kinds) else ""
            return number_text(raw, kind, self._workbook.from_1904)
        return raw  # str, inlineStr, d (already ISO 8601) and e (an error, as it is shown)


def _column(place: str) -> int:
    """The column of a place such as AB12, from 0."""
    return _letters(place[:20].rstrip("0123456789").upper())


@lru_cache(maxsize=MOST_COLUMNS)
def _letters(letters: str) -> int:
    if not letters.isascii() or not letters.isalpha() or len(letters) > 3:
        raise unreadable(f'a cell is in column "{letters}", which does not exist')
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _rows(archive: zipfile.ZipFile, part: str, reader: _SheetReader) -> Iterator[list[str]]:
    """The rows up to the last that is filled; a row that the sheet leaves out is blank."""
    written = 0
    for _ in stream(archive, part, reader):
        for number, row in reader.rows:
            if row:
                yield from ([] for _ in range(number - written - 1))
                yield row
                written = number
        reader.rows.clear()


def _with_padding(rows: Iterator[list[str]]) -> Iterator[tuple[list[str], int]]:
    """The rows, each with the number of cells that it lacks; a blank row lacks none."""
    first = list(islice(rows, _MEASURED))
    width = max(map(len, first), default=0)
    for row in chain(first, rows):
        yield row, max(0, width - len(row)) if row else 0


def _line(row: list[str], lacking: int) -> str:
    """The row as a line of CSV."""
    line = ",".join(row)
    if '"' in line or "\n" in line or "\r" in line or line.count(",") >= len(row):
        line = ",".join([cells.quoted(cell, ",") for cell in row])
    return line + "," * lacking + "\n"


def _write(rows: Iterator[tuple[list[str], int]], target: BinaryIO, most: int) -> None:
    """Write the rows as CSV. most: bytes. Raises FileRefused for more, and for none."""
    written = filled = 0
    for row, lacking in rows:
        filled += bool(row)
        written += target.write(_line(row, lacking).encode("utf-8", "replace"))
        if written > most:
            raise bomb(f"the sheet is more than {most:,} bytes of text")
    if not filled:
        raise FileRefused(
            Issue(
                Code.EMPTY_FILE,
                "The sheet is empty, expected a header and rows. Choose another sheet, or check "
                "the export that made it.",
            )
        )
