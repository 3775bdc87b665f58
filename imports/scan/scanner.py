"""Read a delimited file once, in constant memory; separate malformed records from good ones.

Every record after the header that is not blank is either in a chunk's data or among its malformed
records, with its physical line number (design section 7, reliability A32). Decisions:

- A line of only white space is not a record, not even in a file of one column ("" is one there).
- A row of only delimiters is left out and counted: spreadsheets pad their tables with such rows.
- The header once more is left out and told: files are joined together with their headers.
- Blank cells beyond the header's are left out; blank ones under nameless last columns are added.
- CR LF becomes LF, inside quotes too; a lone CR in a file with LF line ends is part of the cell.
- A record with a misplaced or open quote costs its first line; reading goes on at the next one.
- Quotes with text on both sides are text, if the line is a row then; it is told (`inner_quotes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from imports.scan.chunks import (
    DEFAULT_LIMITS,
    Chunk,
    MalformedRecord,
    ScanLimits,
    join,
    keep,
    merged,
    offsets_of,
    record_hashes,
)
from imports.scan.decoding import CleanStream
from imports.scan.dialect import Dialect
from imports.scan.examining import examine
from imports.scan.footer import FooterRule, without_footers
from imports.scan.heading import BLOCK, Header, ReadPosition, take_header
from imports.scan.malformed import explain, oversized
from imports.scan.record_bounds import Ints, find_records
from imports.scan.shifted import UsualRow
from imports.scan.verdicts import BLANK_ROW, GOOD, REPEATED, Examined

__all__ = [
    "DEFAULT_LIMITS",
    "Chunk",
    "FooterRule",
    "Header",
    "MalformedRecord",
    "ScanLimits",
    "keep",
    "merged",
    "read_header",
    "record_hashes",
    "scan",
]

# Larger chunks are hardly faster, but polars needs about 40 times a chunk's size in memory.
CHUNK_BYTES = 1 << 20
_MALFORMED_PER_CHUNK = 5_000  # a hostile file of tiny bad rows must not fill the memory


def read_header(source: BinaryIO, dialect: Dialect, limits: ScanLimits = DEFAULT_LIMITS) -> Header:
    """Read the header, by default the first record that is not blank. Reads little of the file.

    Raises FileRefused: EMPTY_FILE, UNREADABLE_HEADER, TOO_MANY_COLUMNS.
    """
    return take_header(CleanStream(source, dialect), dialect, limits, ReadPosition())


def scan(
    source: BinaryIO,
    dialect: Dialect,
    columns: int,
    *,
    limits: ScanLimits = DEFAULT_LIMITS,
    chunk_bytes: int = CHUNK_BYTES,
    absorb_extra: bool = False,
    footer: FooterRule | None = None,
) -> Iterator[Chunk]:
    """Yield the records after the header, chunk by chunk, from the file's first byte.

    columns: cells that each record must have. absorb_extra: surplus cells are joined to the last
    one with commas instead of being an error. footer: leave out what is no row at the file's end.
    Raises FileRefused as `read_header` does.
    """
    chunks = _scanned(source, dialect, columns, limits, chunk_bytes, absorb_extra)
    return chunks if footer is None else without_footers(chunks, dialect, columns, footer)


def _scanned(
    source: BinaryIO,
    dialect: Dialect,
    columns: int,
    limits: ScanLimits,
    chunk_bytes: int,
    absorb_extra: bool,
) -> Iterator[Chunk]:
    stream, position = CleanStream(source, dialect), ReadPosition()
    delimiter, quote = dialect.delimiter, dialect.quote
    spaced = dialect.spaced and not absorb_extra  # a text with ", " stays as it is
    header = take_header(stream, dialect, limits, position, min(chunk_bytes, BLOCK))
    raw = header.raw if columns > 1 else b""
    usual, final = UsualRow(), False
    while not final:
        block = stream.read(max(chunk_bytes, len(position.carry)))
        final = not block
        buffer = position.carry + block if position.carry else block
        if final and buffer and not buffer.endswith(b"\n"):
            buffer += b"\n"
        bounds = find_records(buffer, delimiter, limits.record, final, quote, columns, spaced)
        examined = examine(
            buffer,
            bounds,
            delimiter,
            columns,
            limits,
            absorb_extra,
            quote,
            header.named,
            raw,
            usual,
        )
        yield from _chunks(examined, position.line, stream.consumed)
        position.carry, position.line = buffer[bounds.rest :], position.line + bounds.lines
        if len(position.carry) > limits.record:
            yield _skip_line(stream, position, limits, chunk_bytes)


def _chunks(examined: Examined, line: int, consumed: int) -> Iterator[Chunk]:
    """Yield the examined records as one chunk, or several where very many are malformed."""
    bad = np.flatnonzero(examined.codes > REPEATED)
    step = _MALFORMED_PER_CHUNK
    borders = [0, *bad[step::step].tolist(), examined.codes.size]
    for low, high in pairwise(borders):
        mine = bad[slice(*np.searchsorted(bad, (low, high)))]
        good = examined.codes[low:high] == GOOD
        blank = examined.codes[low:high] == BLANK_ROW
        repeated = examined.codes[low:high] == REPEATED
        if good.any() or mine.size or blank.any() or repeated.any():
            start, end = examined.start[low:high], examined.end[low:high] + 1
            yield Chunk(
                data=join(examined.data, start, end, good),
                lines=(examined.first[low:high][good] + line).astype(np.int64),
                offsets=offsets_of((end - start)[good]),
                malformed=[explain(examined, index, line) for index in mine.tolist()],
                consumed=consumed,
                blank=(examined.first[low:high][blank] + line).astype(np.int64),
                repeated=(examined.first[low:high][repeated] + line).astype(np.int64),
                requoted=_requoted(examined, low, high, line),
            )


def _requoted(examined: Examined, low: int, high: int, line: int) -> Ints:
    indices = [index for index in examined.requoted if low <= index < high]
    return (examined.first[indices] + line).astype(np.int64)


def _skip_line(stream: CleanStream, position: ReadPosition, limits: ScanLimits, size: int) -> Chunk:
    """Drop the rest of a line that is longer than a record may be, and move behind it."""
    dropped = oversized(position.carry, position.line, limits)
    block = stream.read(size)
    while block and b"\n" not in block:
        block = stream.read(size)
    position.carry, position.line = block.partition(b"\n")[2], position.line + 1
    nothing = np.empty(0, np.int64)
    return Chunk(b"", nothing, np.zeros(1, np.int64), [dropped], stream.consumed)
