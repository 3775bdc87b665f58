"""Harmless differences of well-formed records are evened out: blanks beside quotes, padding.

Spreadsheets and report writers end rows or the header with delimiters that separate nothing. A
blank cell too many at the end is left out; a nameless column at the end that a row lacks is blank.
"""

from __future__ import annotations

import numpy as np

from imports.scan.quotes import Bools, Ints


def padding(data: bytes, end: Ints, surplus: Ints, delimiter: str) -> Bools:
    """Whether each record ends in as many bare delimiters as it has surplus cells.

    end: offsets of the line feeds.
    """
    marks = np.frombuffer(data, np.uint8)
    padded = np.ones(end.size, np.bool_)
    going = np.arange(end.size)
    back = 1
    while going.size:
        padded[going] = marks[end[going] - back] == ord(delimiter)
        back += 1
        going = going[padded[going] & (surplus[going] >= back)]
    return padded


def without(data: bytes, start: Ints, end: Ints, dropped: Ints) -> tuple[bytes, Ints, Ints]:
    """Leave out the bytes at the sorted offsets. Returns the data, and where its records are."""
    marks = np.delete(np.frombuffer(data, np.uint8), dropped)
    start = start - np.searchsorted(dropped, start)
    return marks.tobytes(), start, end - np.searchsorted(dropped, end)


def filled_up(
    data: bytes, start: Ints, end: Ints, lacking: Ints, delimiter: str
) -> tuple[bytes, Ints, Ints]:
    """Append so many delimiters to each record."""
    marks = np.frombuffer(data, np.uint8)
    marks = np.insert(marks, np.repeat(end, lacking), ord(delimiter))
    after = np.cumsum(lacking)
    return marks.tobytes(), start + after - lacking, end + after


def last_offsets(end: Ints, counts: Ints) -> Ints:
    """Offsets of the last `counts` bytes of each record, sorted."""
    total = int(counts.sum())
    ordinal = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(end - counts, counts) + ordinal, np.int64)
