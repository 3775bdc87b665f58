"""A workbook's sheet as the CSV file that the engine reads; other files as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from imports.templates.sheets import to_csv

_ZIP = b"PK\x03\x04"


def is_zip(file: BinaryIO) -> bool:
    """Whether the file begins as a zip archive does, which every workbook is."""
    file.seek(0)
    start = file.read(len(_ZIP))
    file.seek(0)
    return start == _ZIP


@contextmanager
def readable(
    file: BinaryIO, size: int, sheet: str | int | None, folder: Path
) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size in bytes, of a workbook the sheet as CSV in `folder`.

    Raises FileRefused as `sheets.to_csv` does.
    """
    if not is_zip(file):
        yield file, size
        return
    path = folder / "sheet.csv"
    with path.open("w+b") as written:
        to_csv(file, sheet, written)
        length = written.tell()
        written.seek(0)
        yield written, length
