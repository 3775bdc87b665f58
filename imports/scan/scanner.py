"""Read a delimited file once, in constant memory: clean records on, malformed ones cut out.

Every record after the header that is not blank is either in a chunk's data or in its cuts, with
its physical line number (design section 7, reliability A32). Decisions:

- A line of only white space is not a record, in files of one column too ("" is one there).
- CR LF becomes LF, inside quotes too; a lone CR in a file with LF line ends is part of the cell.
- A record with a misplaced or open quote costs its first line; reading goes on at the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from imports.scan.chunks import (
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
from imports.scan.decoding import CleanStream
from imports.scan.dialect import Dialect
from imports.scan.footer import without_last
from imports.scan.heading import BLOCK, Header, Place, take_header
from imports.scan.malformed import BLANK, GOOD, Examined, examine, explain, oversized
from imports.scan.record_bounds import find_records

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
CHUNK_BYTES = 1 << 20
_CUTS_PER_CHUNK = 5_000  # a hostile file of tiny bad rows must not fill the memory with cuts


def read_header(source: BinaryIO, dialect: Dialect, limits: Limits = DEFAULT_LIMITS) -> Header:
    """The header: by default the first record that is not blank. Reads little of the file.

    Raises FileRefused: EMPTY_FILE, UNREADABLE_HEADER, TOO_MANY_COLUMNS.
    """
    return take_header(CleanStream(source, dialect), dialect, limits, Place())


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
    chunks = _scanned(source, dialect, columns, limits, chunk_bytes, absorb_extra)
    return without_last(chunks, dialect.skip_last) if dialect.skip_last else chunks


def _scanned(
    source: BinaryIO,
    dialect: Dialect,
    columns: int,
    limits: Limits,
    chunk_bytes: int,
    absorb_extra: bool,
) -> Iterator[Chunk]:
    stream, place = CleanStream(source, dialect), Place()
    delimiter, quote = dialect.delimiter, dialect.quote
    take_header(stream, dialect, limits, place, min(chunk_bytes, BLOCK))
    final = False
    while not final:
        block = stream.read(max(chunk_bytes, len(place.carry)))
        final = not block
        buffer = place.carry + block if place.carry else block
        if final and buffer and not buffer.endswith(b"\n"):
            buffer += b"\n"
        layout = find_records(buffer, delimiter, limits.record, final, quote)
        examined = examine(buffer, layout, delimiter, columns, limits, absorb_extra, quote)
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


def _skip_line(stream: CleanStream, place: Place, limits: Limits, size: int) -> Chunk:
    """Drop the rest of a line that is longer than a record may be; the place moves behind it."""
    cut = oversized(place.carry, place.line, limits)
    block = stream.read(size)
    while block and b"\n" not in block:
        block = stream.read(size)
    place.carry, place.line = block.partition(b"\n")[2], place.line + 1
    nothing = np.empty(0, np.int64)
    return Chunk(b"", nothing, np.zeros(1, np.int64), [cut], stream.consumed)
