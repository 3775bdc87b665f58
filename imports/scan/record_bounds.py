"""Where the records of a buffer begin and end: numpy over bytes, without a parser.

A record ends at a line feed with an even number of quotes since its start. A record of several
lines counts only if every quote in it is where it may be and it ends within the record limit;
otherwise its first line alone is broken and reading goes on at the next line, so an open quote
never swallows what follows (reliability A32). Neither does one that a stray quote further down
closes: where the first and a later line of a record look like rows, if quotes are taken for text,
they are rows and not one value. The rule depends on the record alone, so the
result is the same however the file was cut into buffers.

Blanks between a delimiter and a quote (`"a", "b"`) are not part of the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from imports.scan.quotes import (
    BLANK,
    NEWLINE,
    Bools,
    Ints,
    Lines,
    Neighbours,
    blanks_beside,
    neighbours,
    swallowing,
)

__all__ = ["NEWLINE", "Bools", "Ints", "RecordBounds", "find_records"]

_NONE: Ints = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class RecordBounds:
    """The records of one buffer, in order and without gaps.

    first, last: 0-based lines of the buffer on which each begins and ends. start, end: byte
    offsets of its first byte and of its line feed. cells: how many it has. misplaced: a quote is
    where none may be. broken: its quote is not closed; it is the first line only.
    rest: where the first unfinished record begins. lines: complete lines before it. blanks:
    offsets of the blanks before an opening quote and after a closing one; where delimiters are
    spaced, also those behind each of them.
    """

    first: Ints
    last: Ints
    start: Ints
    end: Ints
    cells: Ints
    misplaced: Bools
    broken: Bools
    rest: int
    lines: int
    blanks: Ints = field(default_factory=lambda: _NONE)


def find_records(
    buffer: bytes,
    delimiter: str,
    limit: int,
    final: bool,
    quote: str = '"',
    columns: int = 0,
    spaced: bool = False,
) -> RecordBounds:
    """Return the records of `buffer`, which begins at a record's first byte.

    limit: most bytes of a record that spans lines. final: nothing follows, the buffer ends in a
    line feed. quote: "" where quotes are text. columns: of a row, 0 where that is not known yet.
    spaced: a blank behind a delimiter belongs to it.
    Unless final, an unfinished record of at most `limit` bytes is left in the rest.
    """
    marks = np.frombuffer(buffer, np.uint8)
    newlines = np.flatnonzero(marks == NEWLINE)
    delimiters = np.flatnonzero(marks == ord(delimiter))
    if not quote or quote.encode() not in buffer:
        return _plain(newlines, delimiters, _behind(marks, delimiters) if spaced else _NONE)
    quotes = np.flatnonzero(marks == ord(quote))
    sides = neighbours(buffer, quotes, ord(quote), ord(delimiter))
    buffered = _Quoted(buffer, newlines, quotes, delimiters, sides, limit, final)
    bounds = buffered.bounds(columns, delimiter.encode(), quote.encode())
    if not spaced or not bounds.last.size:
        return bounds
    outside = buffered.outside(bounds.first, bounds.last)
    return replace(bounds, blanks=np.union1d(bounds.blanks, _behind(marks, outside)))


def _behind(marks: NDArray[np.uint8], delimiters: Ints) -> Ints:
    """Offsets of the blanks directly behind delimiters."""
    following: Ints = delimiters[delimiters + 1 < marks.size] + 1
    blanks: Ints = following[marks[following] == BLANK]
    return blanks


def _plain(newlines: Ints, delimiters: Ints, blanks: Ints) -> RecordBounds:
    """The bounds of a buffer without quotes: each line is a record."""
    lines = np.arange(newlines.size)
    no = np.zeros(newlines.size, np.bool_)
    start = _starts(newlines)
    cells = np.diff(np.searchsorted(delimiters, newlines), prepend=0) + 1
    rest = int(newlines[-1]) + 1 if newlines.size else 0
    blanks = blanks[blanks < rest]
    return RecordBounds(lines, lines, start, newlines, cells, no, no, rest, newlines.size, blanks)


def _starts(newlines: Ints) -> Ints:
    start = np.empty_like(newlines)
    start[:1] = 0
    start[1:] = newlines[:-1] + 1
    return start


class _Quoted:
    """A buffer with quotes.

    The quotes of a record alternate: opening, closing, opening ... so whether a quote of rank r in
    the buffer opens depends only on r and on the rank of the record's first quote, both modulo 2
    (the record's *phase*). Everything is therefore computed once for each phase.
    """

    def __init__(
        self,
        buffer: bytes,
        newlines: Ints,
        quotes: Ints,
        delimiters: Ints,
        sides: Neighbours,
        limit: int,
        final: bool,
    ) -> None:
        self.buffer, self.size, self.sides = buffer, len(buffer), sides
        self.delimiters = delimiters
        self.newlines, self.quotes, self.limit, self.final = newlines, quotes, limit, final
        self.line_starts = _starts(newlines)
        self.rank_end = np.searchsorted(quotes, newlines)  # quotes before each line's end
        self.rank_start = np.concatenate(([0], self.rank_end[:-1])) if newlines.size else _NONE
        self.odd = np.flatnonzero((self.rank_end - self.rank_start) & 1)
        self.faults = (
            _alternating(sides.opens, sides.closes),
            _alternating(sides.closes, sides.opens),
        )

    def bounds(self, columns: int, delimiter: bytes, quote: bytes) -> RecordBounds:
        """The records of the buffer. columns: of a row; 0 where that is not known."""
        openers, closers, broken, stop = self._pairs(self._closing(columns, delimiter, quote))
        inside = np.zeros(stop, np.int64)
        inside[openers] += 1
        inside[closers] -= 1
        last = np.flatnonzero(np.cumsum(inside) == 0)
        first = np.concatenate(([0], last[:-1] + 1)) if last.size else last
        is_broken = np.zeros(stop, np.bool_)
        is_broken[broken] = True
        return RecordBounds(
            first=first,
            last=last,
            start=self.line_starts[first],
            end=self.newlines[last],
            cells=self._cells(first, last),
            misplaced=self._faults_between(first, last) > 0,
            broken=is_broken[first],
            rest=int(self.newlines[stop - 1]) + 1 if stop else 0,
            lines=stop,
            blanks=self._blanks(first, last),
        )

    def outside(self, first: Ints, last: Ints) -> Ints:
        """The delimiters of the records that are in no value."""
        delimiters = self.delimiters[self.delimiters < self.newlines[last[-1]]]
        record = np.searchsorted(self.newlines[last], delimiters)
        before = np.searchsorted(self.quotes, delimiters) - self.rank_start[first[record]]
        outside: Ints = delimiters[before & 1 == 0]
        return outside

    def _blanks(self, first: Ints, last: Ints) -> Ints:
        if self.sides.blanks_before is None and self.sides.blanks_after is None:
            return _NONE
        record = np.searchsorted(self.newlines[last], self.quotes)
        inside = record < first.size  # an unfinished record is left in the rest
        ranks = np.arange(self.quotes.size)[inside]
        is_opener = np.zeros(self.quotes.size, np.bool_)
        is_opener[inside] = (ranks - self.rank_start[first[record[inside]]]) & 1 == 0
        offsets = blanks_beside(self.quotes, is_opener, self.sides)
        return offsets[offsets < (self.newlines[last[-1]] if last.size else 0)]

    def _pairs(self, closing: Bools) -> tuple[Ints, Ints, Ints, int]:
        """Lines that open and close a record of several lines, broken lines, and the line
        before which the finished records end. closing: of each pair of neighbours in `odd`."""
        odd, lines = self.odd, self.newlines.size
        if not odd.size:
            return _NONE, _NONE, _NONE, lines
        opened, broken, alone = _walk(closing)
        stop = lines
        if alone:
            lone = int(odd[-1])
            if self.final or self.size - self.line_starts[lone] > self.limit:
                broken.append(odd.size - 1)
            else:
                stop = lone
        at = np.array(opened, np.int64)
        return odd[at], odd[at + 1], odd[np.array(broken, np.int64)], stop

    def _closing(self, columns: int, delimiter: bytes, quote: bytes) -> Bools:
        """Whether each line of `odd` and the next one enclose one well-formed record."""
        first, last = self.odd[:-1], self.odd[1:]
        short = self.newlines[last] - self.line_starts[first] <= self.limit
        fine: Bools = short & (self._faults_between(first, last) == 0)
        if columns < 2 or not fine.any():
            return fine
        every = np.arange(self.newlines.size)
        cells = np.diff(np.searchsorted(self.delimiters, self.newlines), prepend=0) + 1
        honest = self._cells(every, every)
        starts, ends = self.line_starts, self.newlines
        lines = Lines(self.buffer, starts, ends, cells, honest, delimiter, quote)
        fine[fine] = ~swallowing(lines, first[fine], last[fine], columns)
        return fine

    def _faults_between(self, first: Ints, last: Ints) -> Ints:
        begin, end = self.rank_start[first], self.rank_end[last]
        even, odd = (np.searchsorted(f, end) - np.searchsorted(f, begin) for f in self.faults)
        return np.where(begin & 1, odd, even)

    def _cells(self, first: Ints, last: Ints) -> Ints:
        delimiters = self.delimiters
        gaps = np.diff(self.quotes, prepend=0, append=self.size)
        phases = np.repeat(np.arange(gaps.size) & 1 == 1, gaps)
        shift = phases[delimiters]  # an odd number of quotes stands before the delimiter
        begin, end = self.line_starts[first], self.newlines[last]
        even, odd = delimiters[~shift], delimiters[shift]
        cells = np.searchsorted(even, end) - np.searchsorted(even, begin)
        shifted = np.flatnonzero(self.rank_start[first] & 1)
        if shifted.size:
            begin, end = begin[shifted], end[shifted]
            cells[shifted] = np.searchsorted(odd, end) - np.searchsorted(odd, begin)
        return cells + 1


def _alternating(even_ranks: Bools, odd_ranks: Bools) -> Ints:
    fine = odd_ranks.copy()
    fine[0::2] = even_ranks[0::2]
    return np.flatnonzero(~fine)


def _walk(closes: Bools) -> tuple[list[int], list[int], bool]:
    """Pair the lines that have an odd number of quotes, in order.

    closes[i]: line i may open a record that line i + 1 closes. Returns the openers, the broken
    lines, and whether the last line was left alone.
    """
    flags = closes.tolist()
    opened: list[int] = []
    broken: list[int] = []
    at = 0
    while at < len(flags):
        if flags[at]:
            opened.append(at)
            at += 2
        else:
            broken.append(at)
            at += 1
    return opened, broken, at == len(flags)
