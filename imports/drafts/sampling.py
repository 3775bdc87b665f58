"""The beginning of a draft's file: its dialect, its columns and its first rows.

Only the beginning is read, whatever the size, so that each page opens at once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from imports.check.columns import folded_names, numbered
from imports.issues import Code, FileRefused, headline
from imports.mapping.definitions import AUTO, DELIMITERS
from imports.mapping.opening import read_start
from imports.mapping.parsing import parse
from imports.mapping.readable import is_zip
from imports.mapping.sheets import sheets, to_csv
from imports.mapping.sniff import sniff
from imports.mapping.spec import ReadingOptions
from imports.models import ImportDraft
from imports.scan import cells
from imports.scan.dialect import Dialect, detect
from imports.scan.scanner import Chunk, FooterRule, scan

ROWS = 160
TABLE_ROWS = 5_000  # of a workbook are looked at
_CHUNK = 256 << 10  # bytes
_LONGEST = 300  # characters of a cell


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows under one reading.

    rows: (physical line, cells). malformed: records among them, each (line, what is wrong).
    refusal: why there are no rows; else empty.
    """

    header: tuple[str, ...] = ()
    rows: tuple[tuple[int, tuple[str, ...]], ...] = ()
    malformed: tuple[tuple[int, str], ...] = ()
    encoding: str = ""
    delimiter: str = ""
    refusal: str = ""

    @property
    def columns(self) -> list[str]:
        """The names that a spec may use: each once."""
        return list(dict.fromkeys(name.strip() for name in self.header if name.strip()))


@contextmanager
def opened(draft: ImportDraft) -> Iterator[tuple[BinaryIO, int]]:
    """The draft's file as text, of a workbook its first rows; and the size. Raises OSError."""
    name = draft.table or draft.content
    with default_storage.open(name, "rb") as file:
        yield cast(BinaryIO, file), default_storage.size(name)


def reading_of(draft: ImportDraft) -> ReadingOptions:
    """How the draft's file is to be read. Raises BadSpec."""
    return parse(
        {"version": 1, "columns": [], "fields": {}, "reading": draft.spec["reading"]}
    ).reading


def take(draft: ImportDraft, reading: ReadingOptions) -> Sample:
    """The first rows of the draft's file; with a refusal where it cannot be read like that."""
    try:
        with opened(draft) as (file, size):
            return _taken(file, size, reading)
    except FileRefused as refused:
        return Sample(refusal=headline(refused.issues))
    except OSError:
        return Sample(refusal="The file is no longer kept. Choose or upload it again.")


def _taken(file: BinaryIO, size: int, reading: ReadingOptions) -> Sample:
    dialect, header = read_start(file, size, reading)
    names = tuple(numbered(header.cells))
    folded_names(names)
    chunks = scan(file, dialect, len(header.cells), chunk_bytes=_CHUNK, footer=FooterRule())
    chunk = next(chunks, None)
    if chunk is None:
        return Sample(header=names, encoding=dialect.encoding, delimiter=dialect.delimiter)
    return Sample(
        header=names,
        rows=tuple(_rows(chunk, dialect)),
        malformed=tuple((cut.line, cut.message) for cut in chunk.malformed[:3]),
        encoding=dialect.encoding,
        delimiter=dialect.delimiter,
    )


def _rows(chunk: Chunk, dialect: Dialect) -> Iterator[tuple[int, tuple[str, ...]]]:
    for at, line in enumerate(chunk.lines[:ROWS].tolist()):
        raw = chunk.data[int(chunk.offsets[at]) : int(chunk.offsets[at + 1]) - 1]
        text = raw.decode("utf-8", "replace")
        values = cells.split(text, dialect.delimiter, dialect.quote)
        yield line, tuple(value[:_LONGEST].replace("\0", "") for value in values)


def sheet_names(content: str) -> list[str]:
    """The sheets of a stored workbook; none for other files. Raises FileRefused."""
    with default_storage.open(content, "rb") as stored:
        file = cast(BinaryIO, stored)
        if not is_zip(file):
            return []
        try:
            return sheets(file)
        except FileRefused as refused:
            _refuse_archive(file, default_storage.size(content))
            raise refused from None


def _refuse_archive(file: BinaryIO, size: int) -> None:
    """Raise the refusal of an archive, where the file is no workbook at all."""
    try:
        detect(file, size)
    except FileRefused as refused:
        if refused.issues[0].code == Code.ARCHIVE:
            raise


def table_of(content: str, sheet: str | int | None, folder: str) -> str:
    """Storage name of the sheet's first rows as CSV. Raises FileRefused."""
    written = io.BytesIO()
    with default_storage.open(content, "rb") as file:
        to_csv(cast(BinaryIO, file), sheet, written, rows=TABLE_ROWS)
    return default_storage.save(f"{folder}/table.csv", ContentFile(written.getvalue()))


def likely_reading(name: str, sheet: str | int | None) -> tuple[dict[str, Any], list[str], float]:
    """The likely reading of a stored file, notes on it, and how sure it is, 0 to 1.

    Raises FileRefused for what is no delimited text.
    """
    with default_storage.open(name, "rb") as file:
        sniffed = sniff(cast(BinaryIO, file), default_storage.size(name))
    delimiter = {sign: name for name, sign in DELIMITERS.items()}.get(
        sniffed.dialect.delimiter, AUTO
    )
    reading = {
        "encoding": "auto",
        "delimiter": delimiter,
        "quote": sniffed.quote,
        "header_row": sniffed.header_row,
        "skip_rows": sniffed.skip_rows,
        "sheet": sheet,
    }
    return reading, list(sniffed.notes), sniffed.confidence
