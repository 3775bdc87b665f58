"""Which records are well-formed, blank or malformed; small differences are evened out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imports.issues import Code
from imports.scan import cells, fitting
from imports.scan.chunks import ScanLimits
from imports.scan.inner_quotes import requoted
from imports.scan.record_bounds import Bools, Ints, RecordBounds

GOOD: Final = 0
BLANK: Final = 1  # a line, which is no record
BLANK_ROW: Final = 2  # a record without a value
REPEATED: Final = 3  # the header once more
ORDER: Final = (
    Code.TOO_FEW_CELLS,
    Code.TOO_MANY_CELLS,
    Code.CELL_TOO_LARGE,
    Code.OPEN_QUOTE,
    Code.BAD_QUOTE,
    Code.BAD_ENCODING,
    Code.NUL_BYTE,
    Code.ROW_TOO_LARGE,
)  # a later code explains a record better than an earlier one
FIRST_CODE: Final = 4
_NUMBER: Final = {code: number for number, code in enumerate(ORDER, start=FIRST_CODE)}


@dataclass(frozen=True, slots=True)
class Examined:
    """The records of a buffer with a verdict for each: GOOD, BLANK, BLANK_ROW, REPEATED or the
    number of a code. requoted: the indices of those whose inner quotes were doubled."""

    data: bytes
    start: Ints
    end: Ints
    first: Ints
    cells: Ints
    codes: NDArray[np.uint8]
    delimiter: str
    columns: int
    limits: ScanLimits
    quote: str
    requoted: list[int] = field(default_factory=list)


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
) -> Examined:
    """Examine each of the records, and even out their harmless differences.

    With `absorb_extra`, rewrite those with surplus cells. quote: "" where quotes are text; no cells
    are joined then, as the result could not be quoted. named: columns up to the last that has a
    name; a row may lack those after it. header: its record, which files joined together repeat.
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
    examined = _with_inner_quotes(_without_blanks(examined, bounds.blanks))
    if absorb_extra and quote:
        return _absorb(examined)
    return _fitted(examined, columns if named is None else named)


def _codes(
    data: bytes,
    bounds: RecordBounds,
    delimiter: str,
    columns: int,
    limits: ScanLimits,
    quote: str,
) -> NDArray[np.uint8]:
    codes = np.zeros(bounds.first.size, np.uint8)
    codes[bounds.cells < columns] = _NUMBER[Code.TOO_FEW_CELLS]
    codes[bounds.cells > columns] = _NUMBER[Code.TOO_MANY_CELLS]
    codes[_with_large_cell(data, bounds, delimiter, limits, quote)] = _NUMBER[Code.CELL_TOO_LARGE]
    codes[bounds.broken] = _NUMBER[Code.OPEN_QUOTE]
    codes[bounds.misplaced] = _NUMBER[Code.BAD_QUOTE]
    codes[_ill_encoded(data, bounds)] = _NUMBER[Code.BAD_ENCODING]
    codes[_with_nul(data, bounds)] = _NUMBER[Code.NUL_BYTE]
    codes[bounds.end - bounds.start > limits.record] = _NUMBER[Code.ROW_TOO_LARGE]
    blank = _blank(data, bounds, delimiter, quote, columns)
    codes[blank[0]], codes[blank[1]] = BLANK, BLANK_ROW
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
    keeps = (_NUMBER[Code.TOO_FEW_CELLS], _NUMBER[Code.TOO_MANY_CELLS], GOOD)
    blanks = blanks[np.isin(good, keeps)]
    data, start, end = fitting.without(examined.data, examined.start, examined.end, blanks)
    return replace(examined, data=data, start=start, end=end)


def _with_inner_quotes(examined: Examined) -> Examined:
    """Double the quotes of lines where nothing else is wrong with them, see `inner_quotes`."""
    wrong = (_NUMBER[Code.BAD_QUOTE], _NUMBER[Code.OPEN_QUOTE])
    records: dict[int, bytes] = {}
    for index in np.flatnonzero(np.isin(examined.codes, wrong)).tolist():
        text = raw_of(examined, index).decode("utf-8")
        written = requoted(text, examined.delimiter, examined.quote, examined.columns)
        if written is not None:
            record = written.encode("utf-8")
            largest = largest_cell(record, examined.delimiter, examined.quote)[1]
            if largest <= examined.limits.cell:
                records[index] = record + b"\n"
    if not records:
        return examined
    codes, counts = examined.codes.copy(), examined.cells.copy()
    codes[list(records)], counts[list(records)] = GOOD, examined.columns
    examined = replace(examined, codes=codes, cells=counts, requoted=list(records))
    return _respliced(examined, records)


def _respliced(examined: Examined, records: Mapping[int, bytes]) -> Examined:
    """The data with other bytes for some records. records: by index in order, with line feeds."""
    start, end = examined.start, examined.end
    sizes = end - start + 1
    parts: list[bytes] = []
    at = 0
    for index, record in records.items():
        parts += [examined.data[at : start[index]], record]
        at, sizes[index] = int(end[index]) + 1, len(record)
    ends = np.cumsum(sizes)
    data = b"".join([*parts, examined.data[at:]])
    return replace(examined, data=data, start=ends - sizes, end=ends - 1)


def _fitted(examined: Examined, named: int) -> Examined:
    """Cut blank cells beyond the header's, and fill up nameless columns at the end."""
    codes = examined.codes
    long = np.flatnonzero(codes == _NUMBER[Code.TOO_MANY_CELLS])
    if long.size:
        surplus = examined.cells[long] - examined.columns
        padded = fitting.padding(examined.data, examined.end[long], surplus, examined.delimiter)
        codes[long[padded]] = GOOD
        dropped = fitting.last_offsets(examined.end[long[padded]], surplus[padded])
        data, start, end = fitting.without(examined.data, examined.start, examined.end, dropped)
        examined = replace(examined, data=data, start=start, end=end)
    short = (codes == _NUMBER[Code.TOO_FEW_CELLS]) & (examined.cells >= named)
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


def largest_cell(raw: bytes, delimiter: str, quote: str) -> tuple[int, int]:
    """Number (from 1) and bytes of a record's largest cell."""
    sizes = [
        len(cell.encode("utf-8", "surrogateescape"))
        for cell in cells.split(raw.decode("utf-8", "surrogateescape"), delimiter, quote)
    ]
    largest = max(sizes)
    return sizes.index(largest) + 1, largest


def _ill_encoded(data: bytes, bounds: RecordBounds) -> list[int]:
    """Records with ill-formed UTF-8. A line feed is never part of an ill-formed sequence."""
    if data.isascii() or _is_utf8(data[: bounds.rest]):
        return []
    # Record by record: an error carries a copy of all that was to be decoded.
    beyond = np.flatnonzero(np.frombuffer(data, np.uint8)[: bounds.rest] >= 0x80)
    suspects = np.unique(np.searchsorted(bounds.end, beyond)).tolist()
    return [i for i in suspects if not _is_utf8(data[bounds.start[i] : bounds.end[i]])]


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


def _has_value(raw: bytes, delimiter: str, quote: str) -> bool:
    if not quote or quote.encode() not in raw:
        return False
    return any(value.strip() for value in cells.split(raw.decode(), delimiter, quote))


def _is_one_of(signs: bytes, values: NDArray[np.uint8]) -> Bools:
    table = np.zeros(256, np.bool_)
    table[list(signs)] = True
    return table[values]


def _absorb(examined: Examined) -> Examined:
    """Join the surplus cells of otherwise well-formed records with their last cell."""
    surplus = np.flatnonzero(examined.codes == _NUMBER[Code.TOO_MANY_CELLS]).tolist()
    if not surplus:
        return examined
    codes = examined.codes.copy()
    records: dict[int, bytes] = {}
    for index in surplus:
        records[index], fits = _absorbed(examined, index)
        codes[index] = GOOD if fits else _NUMBER[Code.CELL_TOO_LARGE]
    return _respliced(replace(examined, codes=codes), records)


def _absorbed(examined: Examined, index: int) -> tuple[bytes, bool]:
    """The record rewritten with its line end, and whether the joined cell is small enough."""
    raw, delimiter, quote = raw_of(examined, index), examined.delimiter, examined.quote
    values = cells.split(raw.decode("utf-8"), delimiter, quote)
    head, last = values[: examined.columns - 1], ",".join(values[examined.columns - 1 :])
    record = delimiter.join(cells.quoted(value, delimiter, quote) for value in [*head, last])
    return record.encode("utf-8") + b"\n", len(last.encode("utf-8")) <= examined.limits.cell


def raw_of(examined: Examined, index: int) -> bytes:
    """Return a record without its line end."""
    return examined.data[examined.start[index] : examined.end[index]]
