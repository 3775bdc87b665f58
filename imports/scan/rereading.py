"""Read well-formed records on given lines again, without examining all the others. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from imports.scan.chunks import Chunk
from imports.scan.decoding import CleanStream
from imports.scan.dialect import Dialect
from imports.scan.inner_quotes import requoted
from imports.scan.record_bounds import NEWLINE, Ints
from imports.scan.rewriting import SURELY_SEVERAL
from imports.scan.wrapping import stands_in_quotes, unwrapped

_BLOCK = 2 << 20


def records_on(
    source: BinaryIO, dialect: Dialect, lines: Ints, columns: int = 0
) -> Iterator[tuple[int, bytes]]:
    """Yield each of the lines with the record that begins on it, without its line end.

    lines: physical lines, sorted, on each of which a well-formed record begins. Up to them only
    line feeds are counted, which is several times as fast as a scan. columns: of a record; 0 where
    that is not known.
    """
    text = _Text(CleanStream(source, dialect))
    for line in lines.tolist():
        text.go_to(line)
        raw = text.record(dialect.delimiter, dialect.quote)
        yield line, _as_meant(raw, dialect.delimiter, dialect.quote, columns)


def _as_meant(raw: bytes, delimiter: str, quote: str, columns: int) -> bytes:
    """The record with its quotes mended as the scan mends them."""
    if not quote or quote.encode() not in raw:
        return raw
    text = raw.decode("utf-8", "surrogateescape")
    if columns >= SURELY_SEVERAL and stands_in_quotes(text, quote):
        written: str | None = unwrapped(text, quote)
    else:
        written = requoted(text, delimiter, quote, columns=0)
    return raw if written is None else written.encode("utf-8", "surrogateescape")


def records_of(chunks: Iterator[Chunk], lines: Ints) -> Iterator[tuple[int, bytes]]:
    """Yield the same from chunks of a scan. Stops after the last line."""
    done = 0
    while done < lines.size and (chunk := next(chunks, None)):
        for index in np.flatnonzero(np.isin(chunk.lines, lines[done:])).tolist():
            done += 1
            yield int(chunk.lines[index]), _record(chunk, index)


def _record(chunk: Chunk, index: int) -> bytes:
    return chunk.data[int(chunk.offsets[index]) : int(chunk.offsets[index + 1]) - 1]


class _Text:
    """A piece of the stream and the offsets of its lines; the first line is the current one."""

    def __init__(self, stream: CleanStream) -> None:
        self._stream = stream
        self._buffer = b""
        self._line = 1  # the number of the current line
        self._starts: Ints = np.zeros(1, np.int64)
        self._ended = False

    def go_to(self, line: int) -> None:
        """Make that line the current one."""
        while line - self._line >= self._starts.size and not self._ended:
            self._begin(self._line + self._starts.size - 1)
            self._read_on()
        self._begin(line)

    def record(self, delimiter: str, quote: str) -> bytes:
        """Return the record that begins on the current line."""
        while (end := self._end(delimiter, quote)) is None and not self._ended:
            self._read_on()
        return self._buffer[int(self._starts[0]) : end]

    def _end(self, delimiter: str, quote: str) -> int | None:
        """Return where the record's line feed is; None if it is not in the buffer."""
        begin = int(self._starts[0])
        for after in self._starts[1:]:
            end = int(after) - 1
            if not quote or not self._buffer.count(quote.encode(), begin, end) % 2:
                return end
            text = self._buffer[begin:end].decode("utf-8", "surrogateescape")
            if requoted(text, delimiter, quote, columns=0) is not None:
                return end
        return None

    def _begin(self, line: int) -> None:
        self._starts = self._starts[line - self._line :]
        self._line = line

    def _read_on(self) -> None:
        block = self._stream.read(_BLOCK)
        self._ended = not block
        self._buffer = self._buffer[int(self._starts[0]) :] + block
        newlines = np.flatnonzero(np.frombuffer(self._buffer, np.uint8) == NEWLINE)
        self._starts = np.concatenate((np.zeros(1, np.int64), newlines + 1))
