"""The one CSV writer for files that people open: RFC 4180, formulas neutralised.

A spreadsheet runs a cell that begins with = + - or @ as a formula (OWASP CSV injection,
reliability A34). Such a value gets a leading apostrophe; `restore` takes exactly that one off, so
restore(neutralise(value)) == value for every value. Pure.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

ACTIVE = "=+-@\t\r\n\0＝＋－＠"  # noqa: RUF001  full-width forms count in some locales
PLAIN_NUMBER = r"[+-][0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?"
_PLAIN_NUMBER = re.compile(PLAIN_NUMBER)
_BUFFER = 64 << 10


def neutralise(value: str) -> str:
    """The value, made harmless for spreadsheets. Plain numbers such as -5 or +3.2 are unchanged."""
    return "'" + value if _is_active(value) else value


def restore(value: str) -> str:
    """The value that `neutralise` was given."""
    return value[1:] if value.startswith("'") and _is_active(value[1:]) else value


def _is_active(value: str) -> bool:
    # Apostrophes before an active value count too, so that a value that already begins with an
    # apostrophe differs from a neutralised one.
    core = value.lstrip("'")
    return core.startswith(tuple(ACTIVE)) and not _PLAIN_NUMBER.fullmatch(core)


class PeopleCsv:
    """A writer of rows; call `close` (or leave the `with` block) to write the rest.

    target: stays open. Text goes out as UTF-8 with CR LF line ends; what UTF-8 cannot hold
    becomes a question mark. bom: spreadsheets need it to see UTF-8.
    """

    def __init__(self, target: BinaryIO, delimiter: str = ",", *, bom: bool = True) -> None:
        self._target = target
        self._pending = bytearray(codecs.BOM_UTF8 if bom else b"")
        self._writer = csv.writer(self, delimiter=delimiter, lineterminator="\r\n")

    def row(self, values: Iterable[str]) -> None:
        """Write one row, each value neutralised."""
        self._writer.writerow([neutralise(value) for value in values])

    def write(self, text: str) -> int:
        """Write text; the csv module calls this."""
        self._pending += text.encode("utf-8", "replace")
        if len(self._pending) > _BUFFER:
            self._flush()
        return len(text)

    def _flush(self) -> None:
        self._target.write(bytes(self._pending))
        self._pending.clear()

    def close(self) -> None:
        """Write what is still pending; the target stays open."""
        self._flush()

    def __enter__(self) -> PeopleCsv:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_rows(
    target: BinaryIO,
    header: Sequence[str],
    rows: Iterable[Iterable[str]],
    delimiter: str = ",",
    bom: bool = True,
) -> int:
    """Write a header and rows; returns the number of rows."""
    count = 0
    with PeopleCsv(target, delimiter, bom=bom) as out:
        out.row(header)
        for count, row in enumerate(rows, start=1):  # noqa: B007
            out.row(row)
    return count


def streamed(header: Sequence[str], batches: Iterable[Iterable[Sequence[str]]]) -> Iterator[bytes]:
    """The file in pieces, one for each batch of rows: for lists that are too long for memory."""
    buffer = io.BytesIO()
    writer = PeopleCsv(buffer)
    writer.row(header)
    for batch in batches:
        for row in batch:
            writer.row(row)
        yield _drained(buffer)
    writer.close()
    yield _drained(buffer)


def _drained(buffer: io.BytesIO) -> bytes:
    piece = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return piece
