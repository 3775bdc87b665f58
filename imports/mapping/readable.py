"""A job's file as the engine reads it: unchanged, or a workbook's sheet or JSON lines as CSV.

Workbooks are read with a template only, which names the sheet. Source: issue of the templates
(XLSX is read too, first sheet or a chosen one). JSON lines are read where the feed allows them;
they name their own members, so that they need no template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from imports.mapping.definitions import Spec
from imports.mapping.sheets import to_csv
from imports.scan import json_lines

_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Readable:
    """A file that the scanner can read.

    size: bytes. spec: the template's, with the dialect that a converted sheet has. json_lines:
    whether the file was converted from JSON lines.
    """

    file: BinaryIO
    size: int
    spec: Spec | None
    json_lines: bool = False


def is_zip(file: BinaryIO) -> bool:
    """Whether the file begins as a zip archive does, which every workbook is."""
    file.seek(0)
    start = file.read(len(_ZIP))
    file.seek(0)
    return start == _ZIP


def _conversion(file: BinaryIO, name: str) -> Callable[[BinaryIO, BinaryIO], None] | None:
    """How JSON lines become CSV: as they are, or corrected in their error attachment."""
    if json_lines.is_attachment(file):
        return json_lines.attachment_to_csv
    return json_lines.to_csv if json_lines.recognised(file, name) else None


@contextmanager
def readable(
    file: BinaryIO, size: int, spec: Spec | None, folder: Path, json_name: str = ""
) -> Iterator[Readable]:
    """The file, or its CSV form in the folder. Raises FileRefused for an unreadable workbook.

    size: bytes of the file. json_name: its name where it may be of JSON lines; empty elsewhere.
    """
    convert = _conversion(file, json_name) if json_name else None
    if convert is not None:
        with (folder / "lines.csv").open("w+b") as table:
            convert(file, table)
            length = table.tell()
            table.seek(0)
            yield Readable(table, length, None, json_lines=True)
        return
    if spec is None or not is_zip(file):
        yield Readable(file, size, spec)
        return
    with (folder / "sheet.csv").open("w+b") as sheet:
        to_csv(file, spec.reading.sheet, sheet)
        length = sheet.tell()
        sheet.seek(0)
        reading = replace(spec.reading, encoding="utf-8", delimiter=",", quote='"')
        yield Readable(sheet, length, replace(spec, reading=reading))
