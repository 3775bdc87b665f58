"""What stands beside the quotes of a buffer, and whether a quoted value swallows rows. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEWLINE = 10
BLANK = 32
_MOST_BLANKS = 200  # beside one quote
_COMPARED = 50  # lines of one record
_LONGEST = 4096  # bytes of a line that is compared
_DIGIT = re.compile(rb"[0-9]")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is beside each quote. Blanks between it and a delimiter or a line end do not count.

    opens, closes: whether the quote may open a value, by what is before it, and close one, by what
    is after it. blanks_before, blanks_after: blanks that do not count; None where there are none.
    """

    opens: Bools
    closes: Bools
    blanks_before: Ints | None
    blanks_after: Ints | None


def neighbours(buffer: bytes, quotes: Ints, quote: int, delimiter: int) -> Neighbours:
    """Look at both sides of each quote."""
    padded = np.frombuffer(b"".join((b"\n", buffer, b"\n")), np.uint8)
    edges = np.zeros(256, np.bool_)
    edges[[NEWLINE, delimiter]] = True
    beside = edges.copy()
    beside[quote] = True
    opens, closes = beside[padded[quotes]], beside[padded[quotes + 2]]
    if delimiter == BLANK:
        return Neighbours(opens, closes, None, None)
    before = _blanks(padded, quotes, -1, edges)
    after = _blanks(padded, quotes + 2, 1, edges)
    opens = opens if before is None else opens | (before > 0)
    closes = closes if after is None else closes | (after > 0)
    return Neighbours(opens, closes, before, after)


def _blanks(padded: NDArray[np.uint8], at: Ints, step: int, edges: Bools) -> Ints | None:
    """The number of blanks from each place on that end at an edge; 0 where they do not."""
    counts = np.zeros(at.size, np.int64)
    going = np.flatnonzero(padded[at] == BLANK)
    if not going.size:
        return None
    for number in range(1, _MOST_BLANKS):
        place = padded[at[going] + step * number]
        counts[going[edges[place]]] = number
        going = going[place == BLANK]
        if not going.size:
            break
    return counts if counts.any() else None


def blanks_beside(quotes: Ints, is_opener: Bools, sides: Neighbours) -> Ints:
    """Offsets of the blanks before quotes that open a value and after those that close one."""
    nothing = np.empty(0, np.int64)
    parts = [nothing]
    if sides.blanks_before is not None:
        parts.append(_spread(quotes, np.where(is_opener, sides.blanks_before, 0), -1))
    if sides.blanks_after is not None:
        parts.append(_spread(quotes, np.where(is_opener, 0, sides.blanks_after), 1))
    return np.unique(np.concatenate(parts))


def _spread(quotes: Ints, counts: Ints, step: int) -> Ints:
    total = int(counts.sum())
    ordinal = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(quotes, counts) + step * (ordinal + 1), np.int64)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a buffer. cells: of each if quotes are text. honest: if it begins a record."""

    buffer: bytes
    starts: Ints
    ends: Ints
    cells: Ints
    honest: Ints
    delimiter: bytes
    quote: bytes


def swallowing(lines: Lines, first: Ints, last: Ints, columns: int) -> Bools:
    """Which records of the lines first..last are rows that two stray quotes have tied together.

    The first line has at least as many cells as a row and a later line has exactly as many, if
    quotes are text. Text of several lines may do so by chance; so figures and addresses must also
    be in the same cells of both.
    """
    like_row = (lines.cells == columns) | (lines.honest == columns)
    before = np.concatenate(([0], np.cumsum(like_row)))
    rows = before[last + 1] - before[first + 1]
    result = (lines.cells[first] >= columns) & (rows > 0)
    for index in np.flatnonzero(result).tolist():
        low, high = int(first[index]), int(last[index])
        later = (at for at in range(low + 1, high + 1) if like_row[at])
        head = _kinds(lines, low, columns)
        result[index] = any(
            _alike(head, _kinds(lines, at, columns)) for at in islice(later, _COMPARED)
        )
    return result


def _alike(first: bytes, later: bytes) -> bool:
    """Whether two rows have the same kinds of cells, where both have any, and not only words."""
    pairs = [(a, b) for a, b in zip(first, later, strict=False) if BLANK not in (a, b)]
    return all(a == b for a, b in pairs) and any(a != ord("a") for a, _ in pairs)


def _kinds(lines: Lines, at: int, columns: int) -> bytes:
    """A sign for each cell of a line: "@", "9" (with a figure), "a" or a blank. The first one only
    where quoted delimiters make it impossible to tell which the others are."""
    start, end = int(lines.starts[at]), int(lines.ends[at])
    line = lines.buffer[start : min(end, start + _LONGEST)]
    cells = line.replace(lines.quote, b"").split(lines.delimiter)
    cells = cells if len(cells) == columns else cells[:1]
    return b"".join(map(_kind, cells))


def _kind(cell: bytes) -> bytes:
    if b"@" in cell:
        return b"@"
    return b"9" if _DIGIT.search(cell) else b"a" if cell.strip() else b" "
