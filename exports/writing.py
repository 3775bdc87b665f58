"""The file of a run, written once: COPY streamed to disk, hashed and compressed on the way.

Memory does not grow with the rows. The same rows give the same bytes, compressed or not: no
archive holds a time. CSV is RFC 4180 with line feeds, for machines: values are as they are,
formulas too (people read CSV through `portal/people_csv.py`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from psycopg import Connection, Cursor, sql

from exports import shapes
from exports.layout import Column, header
from exports.shapes import ShapePart

# JSON text never holds a raw tab or U+0001, so COPY has nothing to quote or to escape.
_AS_JSON = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, DELIMITER E'\\t', QUOTE E'\\x01')")
_AS_CSV = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)")
_BLOCK = 1 << 18
_LEVEL = 6
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a Zip file can hold


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What a file holds. size: bytes. late: how many of the rows happened before its window."""

    rows: int
    late: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a file looks. columns: empty for whole JSON objects. inner_name: of a Zip's one entry."""

    kind: str
    columns: Sequence[Column]
    compression: str = ""
    inner_name: str = ""


def write(
    raw: Connection[Any],
    parts: Sequence[ShapePart],
    form: FileFormat,
    path: Path,
    check: Callable[[], None] = lambda: None,
) -> WrittenFile:
    """Write the parts' rows into a new file. check: called with every block, may raise to end it.

    Must be called within the transaction whose snapshot the file is to hold.
    """
    write_rows = _WRITERS[form.kind]
    with path.open("xb") as file:
        tally = _Tally(file)
        with _packed(tally, form) as target:
            counts = write_rows(raw, parts, form, target, check)
    late = sum(count for count, part in zip(counts, parts, strict=True) if part.is_late)
    return WrittenFile(sum(counts), late, tally.size, tally.sha256.hexdigest())


class _Tally(io.RawIOBase):
    """Hashes and counts what goes through; cannot seek, so that archives are written in order."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self.sha256.update(block)
        self.size += len(block)
        return self._file.write(block)


@contextmanager
def _packed(tally: _Tally, form: FileFormat) -> Iterator[IO[bytes]]:
    target = cast(IO[bytes], tally)
    if form.compression == "gzip":
        with gzip.GzipFile("", "wb", _LEVEL, target, mtime=0) as packed:
            yield cast(IO[bytes], packed)
    elif form.compression == "zip":
        entry = zipfile.ZipInfo(form.inner_name, _NO_TIME)
        entry.external_attr = 0o644 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        with (
            zipfile.ZipFile(target, "w", compresslevel=_LEVEL) as archive,
            archive.open(entry, "w", force_zip64=True) as packed,
        ):
            yield packed
    else:
        yield target


def _csv(
    raw: Connection[Any],
    parts: Sequence[ShapePart],
    form: FileFormat,
    target: IO[bytes],
    check: Callable[[], None],
) -> list[int]:
    target.write(_header(form))
    statements = (_AS_CSV.format(shapes.cells(part, form.columns)) for part in parts)
    return [_copy(raw, statement, target, check) for statement in statements]


def _header(form: FileFormat) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(header(form.columns))
    return line.getvalue().encode()


def _json_lines(
    raw: Connection[Any],
    parts: Sequence[ShapePart],
    form: FileFormat,
    target: IO[bytes],
    check: Callable[[], None],
) -> list[int]:
    statements = (_AS_JSON.format(shapes.objects(part, form.columns)) for part in parts)
    return [_copy(raw, statement, target, check) for statement in statements]


def _json(
    raw: Connection[Any],
    parts: Sequence[ShapePart],
    form: FileFormat,
    target: IO[bytes],
    check: Callable[[], None],
) -> list[int]:
    """JSON lines with a comma after each but the last: no line feed stands raw in JSON."""
    array = _Array(target)
    counts = _json_lines(raw, parts, form, cast(IO[bytes], array), check)
    array.end()
    return counts


class _Array:
    """Makes a JSON array of blocks of whole lines. The end of the last line is kept back."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._before = b"[\n"

    def write(self, block: bytes) -> None:
        self._target.write(self._before)
        self._target.write(block[:-1].replace(b"\n", b",\n"))
        self._before = b",\n"

    def end(self) -> None:
        self._target.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


def _copy(
    raw: Connection[Any], statement: sql.Composed, target: IO[bytes], check: Callable[[], None]
) -> int:
    """Write what COPY gives; the number of its rows."""
    with raw.cursor() as cursor:
        for block in _blocks(cursor, statement):
            check()
            target.write(block)
        return cursor.rowcount


def _blocks(cursor: Cursor[Any], statement: sql.Composed) -> Iterator[bytes]:
    """What COPY gives, whole rows joined to blocks."""
    rows: list[bytes] = []
    size = 0
    with cursor.copy(statement) as copy:
        while row := copy.read():
            rows.append(bytes(row))
            size += len(row)
            if size >= _BLOCK:
                yield b"".join(rows)
                rows.clear()
                size = 0
    if rows:
        yield b"".join(rows)


_WRITERS = {"csv": _csv, "json": _json, "jsonl": _json_lines}
