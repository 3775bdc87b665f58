"""Read a delimited file once, in constant memory: clean records on, malformed ones cut out.

Every record after the header that is not blank is either in a chunk's data or in its cuts, with
its physical line number (design section 7, reliability A32). Decisions:

- A line of only white space is not a record, in files of one column too ("" is one there).
- CR LF becomes LF, inside quotes too; a lone CR in a file with LF line ends is part of the cell.
- A record with a misplaced or open quote costs its first line; reading goes on at the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from imports import cells
from imports.chunks import (
    DEFAULT_LIMITS,
    Chunk,
    Cut,
    Limits,
    join,
    keep,
    merged,
    offsets_of,
    record_hashes,
)
from imports.cutting import BLANK, GOOD, Examined, examine, explain, oversized
from imports.decoding import CleanStream
from imports.dialect import Dialect
from imports.issues import Code, FileRefused, Issue
from imports.structure import find_records

__all__ = [
    "DEFAULT_LIMITS",
    "Chunk",
    "Cut",
    "Header",
    "Limits",
    "keep",
    "merged",
    "read_header",
    "record_hashes",
    "scan",
]

# Larger ones are hardly quicker, but polars needs about 40 times a chunk's size in memory.
CHUNK_BYTES = 2 << 20
_HEADER_BLOCK = 64 << 10
_CUTS_PER_CHUNK = 5_000  # a hostile file of tiny bad rows must not fill the memory with cuts


@dataclass(frozen=True, slots=True)
class Header:
    """The file's column names, trimmed. line: physical line where the header starts."""

    cells: tuple[str, ...]
    line: int


@dataclass(slots=True)
class _Place:
    """Bytes read but not yet used, and the physical line they begin on."""

    carry: bytes = b""
    line: int = 1


def read_header(source: BinaryIO, dialect: Dialect, limits: Limits = DEFAULT_LIMITS) -> Header:
    """The header: the first record that is not blank. Reads little of the file.

    Raises FileRefused: EMPTY_FILE, UNREADABLE_HEADER, TOO_MANY_COLUMNS.
    """
    return _take_header(CleanStream(source, dialect), dialect, limits, _Place())


def scan(
    source: BinaryIO,
    dialect: Dialect,
    columns: int,
    *,
    limits: Limits = DEFAULT_LIMITS,
    chunk_bytes: int = CHUNK_BYTES,
    absorb_extra: bool = False,
) -> Iterator[Chunk]:
    """The records after the header, chunk by chunk, from the file's first byte.

    columns: cells each record must have. absorb_extra: surplus cells join the last one, parted
    by commas, instead of being an error. Raises FileRefused as `read_header` does.
    """
    stream, place = CleanStream(source, dialect), _Place()
    _take_header(stream, dialect, limits, place, min(chunk_bytes, _HEADER_BLOCK))
    final = False
    while not final:
        block = stream.read(max(chunk_bytes, len(place.carry)))
        final = not block
        buffer = place.carry + block if place.carry else block
        if final and buffer and not buffer.endswith(b"\n"):
            buffer += b"\n"
        layout = find_records(buffer, dialect.delimiter, limits.record, final)
        examined = examine(buffer, layout, dialect.delimiter, columns, limits, absorb_extra)
        yield from _chunks(examined, place.line, stream.consumed)
        place.carry, place.line = buffer[layout.rest :], place.line + layout.lines
        if len(place.carry) > limits.record:
            yield _skip_line(stream, place, limits, chunk_bytes)


def _chunks(examined: Examined, line: int, consumed: int) -> Iterator[Chunk]:
    """The examined records as one chunk, or several where very many are cut."""
    bad = np.flatnonzero((examined.codes != GOOD) & (examined.codes != BLANK))
    borders = [0, *bad[_CUTS_PER_CHUNK::_CUTS_PER_CHUNK].tolist(), examined.codes.size]
    for low, high in pairwise(borders):
        mine = bad[slice(*np.searchsorted(bad, (low, high)))]
        good = examined.codes[low:high] == GOOD
        if good.any() or mine.size:
            start, end = examined.start[low:high], examined.end[low:high] + 1
            yield Chunk(
                data=join(examined.data, start, end, good),
                lines=(examined.first[low:high][good] + line).astype(np.int64),
                offsets=offsets_of((end - start)[good]),
                cut=[explain(examined, index, line) for index in mine.tolist()],
                consumed=consumed,
            )


def _skip_line(stream: CleanStream, place: _Place, limits: Limits, size: int) -> Chunk:
    """Drop the rest of a line that is longer than a record may be; the place moves behind it."""
    cut = oversized(place.carry, place.line, limits)
    block = stream.read(size)
    while block and b"\n" not in block:
        block = stream.read(size)
    place.carry, place.line = block.partition(b"\n")[2], place.line + 1
    nothing = np.empty(0, np.int64)
    return Chunk(b"", nothing, np.zeros(1, np.int64), [cut], stream.consumed)


def _take_header(
    stream: CleanStream, dialect: Dialect, limits: Limits, place: _Place, size: int = _HEADER_BLOCK
) -> Header:
    """Read and check the header; afterwards the place is behind it."""
    final = False
    while not final:
        block = stream.read(max(size, len(place.carry)))
        final = not block
        buffer = _without_blank_lines(place, place.carry + block, dialect.delimiter)
        if final and not buffer:
            raise _refused(
                Code.EMPTY_FILE, "The file is empty. Send a file with a header and rows."
            )
        end = _record_end(buffer, limits.record, final)
        if end is not None:
            line, record = place.line, buffer[:end]
            place.carry = buffer[end + 1 :]
            place.line += record.count(b"\n") + 1
            return Header(_header_cells(record, dialect.delimiter, line, limits), line)
        place.carry = buffer
    raise _unreadable(place.line, "a double quote opens in it and is never closed")


def _without_blank_lines(place: _Place, buffer: bytes, delimiter: str) -> bytes:
    """The buffer from its first line that is not blank; the place counts the lines."""
    blank = b" \t\r\v\f\n".replace(delimiter.encode(), b"")
    skipped = len(buffer) - len(buffer.lstrip(blank))
    begin = skipped if skipped == len(buffer) else buffer.rfind(b"\n", 0, skipped) + 1
    place.line += buffer.count(b"\n", 0, begin)
    return buffer[begin:]


def _record_end(buffer: bytes, limit: int, final: bool) -> int | None:
    """Where the first record's line feed is; None if it is not in the buffer yet.

    A header without an end within the limit ends at the limit.
    """
    at, quotes = 0, 0
    while (end := buffer.find(b"\n", at)) >= 0 and end <= limit:
        quotes += buffer.count(b'"', at, end)
        if quotes % 2 == 0:
            return end
        at = end + 1
    if len(buffer) > limit:
        return limit
    even = (quotes + buffer.count(b'"', at)) % 2 == 0
    return len(buffer) if final and even else None


def _header_cells(record: bytes, delimiter: str, line: int, limits: Limits) -> tuple[str, ...]:
    """The names in a header record. Raises FileRefused."""
    if len(record) >= limits.record:
        raise _unreadable(line, f"it does not end within {limits.record:,} bytes")
    if b"\0" in record:
        raise _unreadable(line, "it contains a NUL character")
    layout = find_records(record + b"\n", delimiter, limits.record, True)
    if layout.misplaced.any() or layout.broken.any():
        raise _unreadable(line, "a double quote stands in the wrong place")
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = record[error.start : error.end].hex(" ")
        raise _unreadable(line, f"it contains bytes that are not text ({bad})") from None
    names = tuple(name.strip("\ufeff").strip() for name in cells.split(text, delimiter))
    if len(names) > limits.columns:
        raise _refused(
            Code.TOO_MANY_COLUMNS,
            f"The header has {len(names):,} columns, the most a file may have is "
            f"{limits.columns:,}. Remove the columns that are not needed.",
            line,
        )
    return names


def _unreadable(line: int, why: str) -> FileRefused:
    advice = "Correct the first line, or save the file again as CSV in UTF-8."
    return _refused(
        Code.UNREADABLE_HEADER, f"The header in line {line} cannot be read: {why}. {advice}", line
    )


def _refused(code: Code, message: str, line: int | None = None) -> FileRefused:
    return FileRefused(Issue(code, message, line))
