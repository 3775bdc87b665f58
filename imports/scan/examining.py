"""Which records are well-formed, blank or malformed; small differences are evened out."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imports.issues import Code
from imports.scan import cells, fitting
from imports.scan.chunks import ScanLimits
from imports.scan.record_bounds import Bools, Ints, RecordBounds
from imports.scan.rewriting import absorb, with_meant_quotes
from imports.scan.shifted import UsualRow
from imports.scan.verdicts import (
    BLANK,
    BLANK_ROW,
    GOOD,
    NUMBER,
    REPEATED,
    Examined,
    largest_cell,
)

_RULED = b"-=_+:"
_RULER = re.compile(rb"[-=_+:]{2,}")


def examine(
    data: bytes,
    bounds: RecordBounds,
    delimiter: str,
    columns: int,
    limits: ScanLimits,
    absorb_extra: bool,
    quote: str = '"',
    named: int | None = None,
    header: bytes = b"",
    usual: UsualRow | None = None,
) -> Examined:
    """Examine each of the records, and even out their harmless differences.

    With `absorb_extra`, rewrite those with surplus cells. quote: "" where quotes are text; no cells
    are joined then, as the result could not be quoted. named: columns up to the last that has a
    name; a row may lack those after it. header: its record, which files joined together repeat.
    usual: of the file's rows, see `shifted`.
    """
    codes = _codes(data, bounds, delimiter, columns, limits, quote)
    codes[_repeating(data, bounds, header)] = REPEATED
    examined = Examined(
        data,
        bounds.start,
        bounds.end,
        bounds.first,
        bounds.cells,
        codes,
        delimiter,
        columns,
        limits,
        quote,
    )
    named = columns if named is None else named
    examined = with_meant_quotes(_without_blanks(examined, bounds.blanks), named)
    if absorb_extra and quote:
        return absorb(examined)
    return _fitted(examined, named, usual or UsualRow())


def _codes(
    data: bytes,
    bounds: RecordBounds,
    delimiter: str,
    columns: int,
    limits: ScanLimits,
    quote: str,
) -> NDArray[np.uint8]:
    codes = np.zeros(bounds.first.size, np.uint8)
    codes[bounds.cells < columns] = NUMBER[Code.TOO_FEW_CELLS]
    codes[bounds.cells > columns] = NUMBER[Code.TOO_MANY_CELLS]
    codes[_with_large_cell(data, bounds, delimiter, limits, quote)] = NUMBER[Code.CELL_TOO_LARGE]
    codes[bounds.broken] = NUMBER[Code.OPEN_QUOTE]
    codes[bounds.misplaced] = NUMBER[Code.BAD_QUOTE]
    codes[_ill_encoded(data, bounds)] = NUMBER[Code.BAD_ENCODING]
    codes[_with_nul(data, bounds)] = NUMBER[Code.NUL_BYTE]
    codes[bounds.end - bounds.start > limits.record] = NUMBER[Code.ROW_TOO_LARGE]
    blank = _blank(data, bounds, delimiter, quote, columns)
    codes[blank[0]], codes[blank[1]] = BLANK, BLANK_ROW
    codes[_rulers(data, bounds, delimiter, quote, columns)] = BLANK_ROW
    return codes


def _repeating(data: bytes, bounds: RecordBounds, header: bytes) -> list[int]:
    """Records that are the same as the header."""
    records: list[int] = []
    at = data.find(header) if header else -1
    while at >= 0:
        index = int(np.searchsorted(bounds.start, at))
        begins = index < bounds.start.size and bounds.start[index] == at
        if begins and bounds.end[index] == at + len(header):
            records.append(index)
        at = data.find(header, at + len(header))
    return records


def _without_blanks(examined: Examined, blanks: Ints) -> Examined:
    """Leave out blanks beside quotes, but not in records that are shown as they are."""
    if not blanks.size:
        return examined
    record = np.searchsorted(examined.end, blanks)
    good = examined.codes[record]
    keeps = (NUMBER[Code.TOO_FEW_CELLS], NUMBER[Code.TOO_MANY_CELLS], GOOD)
    blanks = blanks[np.isin(good, keeps)]
    data, start, end = fitting.without(examined.data, examined.start, examined.end, blanks)
    return replace(examined, data=data, start=start, end=end)


def _fitted(examined: Examined, named: int, usual: UsualRow) -> Examined:
    """Cut blank cells beyond the header's, and fill up nameless columns at the end."""
    codes = examined.codes
    long = np.flatnonzero(codes == NUMBER[Code.TOO_MANY_CELLS])
    surplus = examined.cells[long] - examined.columns
    padded = fitting.padding(examined.data, examined.end[long], surplus, examined.delimiter)
    padded &= ~np.isin(long, usual.shifted(examined, long[padded]))
    if padded.any():
        codes[long[padded]] = GOOD
        dropped = fitting.last_offsets(examined.end[long[padded]], surplus[padded])
        data, start, end = fitting.without(examined.data, examined.start, examined.end, dropped)
        examined = replace(examined, data=data, start=start, end=end)
    short = (codes == NUMBER[Code.TOO_FEW_CELLS]) & (examined.cells >= named)
    if short.any():
        codes[short] = GOOD
        lacking = np.where(short, examined.columns - examined.cells, 0)
        data, start, end = fitting.filled_up(
            examined.data, examined.start, examined.end, lacking, examined.delimiter
        )
        examined = replace(examined, data=data, start=start, end=end)
    return examined


def _with_large_cell(
    data: bytes, bounds: RecordBounds, delimiter: str, limits: ScanLimits, quote: str
) -> list[int]:
    large = np.flatnonzero(bounds.end - bounds.start > limits.cell).tolist()
    records = ((i, data[bounds.start[i] : bounds.end[i]]) for i in large)
    return [i for i, raw in records if largest_cell(raw, delimiter, quote)[1] > limits.cell]


_DECODED = 256  # records at once


def _ill_encoded(data: bytes, bounds: RecordBounds) -> list[int]:
    """Records with ill-formed UTF-8. A line feed is never part of an ill-formed sequence."""
    if data.isascii() or _is_utf8(data[: bounds.rest]):
        return []
    # Part by part, then record by record: an error carries a copy of all that was to be decoded.
    start, end = bounds.start.tolist(), bounds.end.tolist()
    return [
        i
        for low in range(0, len(end), _DECODED)
        if not _is_utf8(data[start[low] : end[min(low + _DECODED, len(end)) - 1]])
        for i in range(low, min(low + _DECODED, len(end)))
        if not _is_utf8(data[start[i] : end[i]])
    ]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _with_nul(data: bytes, bounds: RecordBounds) -> Ints:
    if b"\0" not in data:
        return np.empty(0, np.int64)
    at = np.flatnonzero(np.frombuffer(data, np.uint8)[: bounds.rest] == 0)
    return np.unique(np.searchsorted(bounds.end, at))


def _blank(
    data: bytes, bounds: RecordBounds, delimiter: str, quote: str, columns: int
) -> tuple[list[int], list[int]]:
    """Lines of only white space, and rows of only delimiters, white space and empty quotes.

    A tab is no white space where it is the delimiter. In a file of one column "" is a value.
    """
    space = b" \t\r\v\f\x1a".replace(delimiter.encode(), b"")
    nothing = space if columns == 1 else space + (delimiter + quote).encode()
    marks = np.frombuffer(data, np.uint8)
    candidates = np.flatnonzero(~(bounds.broken | bounds.misplaced))
    for place in (bounds.start, (bounds.start + bounds.end) // 2, bounds.end - 1):
        at = np.maximum(place[candidates], bounds.start[candidates])
        candidates = candidates[_is_one_of(nothing + b"\n", marks[at])]
    lines, rows = [], []
    for i in candidates.tolist():
        raw = data[bounds.start[i] : bounds.end[i]]
        if not raw.strip(space):
            lines.append(i)
        elif not raw.strip(nothing) and not _has_value(raw, delimiter, quote):
            rows.append(i)
    return lines, rows


def _rulers(
    data: bytes, bounds: RecordBounds, delimiter: str, quote: str, columns: int
) -> list[int]:
    """Rows that only draw a line, as database clients do below the header: `----+------`."""
    if columns == 1:
        return []
    signs = _RULED + b" \t|" + (delimiter + quote).encode()
    marks = np.frombuffer(data, np.uint8)
    candidates = np.flatnonzero(_is_one_of(signs, marks[bounds.start]))
    for place in (bounds.end - 1, (bounds.start + bounds.end) // 2):
        at = np.maximum(place[candidates], bounds.start[candidates])
        candidates = candidates[_is_one_of(signs, marks[at])]
    rows = []
    for i in candidates.tolist():
        raw = data[bounds.start[i] : bounds.end[i]]
        raw = raw.replace(quote.encode(), b"") if quote else raw
        filled = [cell for part in raw.split(delimiter.encode()) if (cell := part.strip(b" \t|"))]
        if all(map(_RULER.fullmatch, filled)) and sum(map(len, filled)) > 3:
            rows.append(i)
    return rows


def _has_value(raw: bytes, delimiter: str, quote: str) -> bool:
    if not quote or quote.encode() not in raw:
        return False
    return any(value.strip() for value in cells.split(raw.decode(), delimiter, quote))


def _is_one_of(signs: bytes, values: NDArray[np.uint8]) -> Bools:
    table = np.zeros(256, np.bool_)
    table[list(signs)] = True
    return table[values]
