"""Which records are not well-formed, and the message for each."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imports.issues import SHOWN_CHARACTERS, Code
from imports.scan import cells
from imports.scan.chunks import MalformedRecord, ScanLimits
from imports.scan.record_bounds import Ints, RecordBounds

GOOD: Final = 0
BLANK: Final = 1
_ORDER: Final = (
    Code.TOO_FEW_CELLS,
    Code.TOO_MANY_CELLS,
    Code.CELL_TOO_LARGE,
    Code.OPEN_QUOTE,
    Code.BAD_QUOTE,
    Code.BAD_ENCODING,
    Code.NUL_BYTE,
    Code.ROW_TOO_LARGE,
)  # a later code explains a record better than an earlier one
_NUMBER: Final = {code: number for number, code in enumerate(_ORDER, start=2)}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Examined:
    """The records of a buffer with a verdict for each: GOOD, BLANK or the number of a code."""

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


def examine(
    data: bytes,
    bounds: RecordBounds,
    delimiter: str,
    columns: int,
    limits: ScanLimits,
    absorb_extra: bool,
    quote: str = '"',
) -> Examined:
    """Examine each of the records. With `absorb_extra`, rewrite those with surplus cells.

    quote: "" where quotes are text; no cells are joined then, as the result could not be quoted.
    """
    codes = np.zeros(bounds.first.size, np.uint8)
    codes[bounds.cells < columns] = _NUMBER[Code.TOO_FEW_CELLS]
    codes[bounds.cells > columns] = _NUMBER[Code.TOO_MANY_CELLS]
    codes[_with_large_cell(data, bounds, delimiter, limits, quote)] = _NUMBER[Code.CELL_TOO_LARGE]
    codes[bounds.broken] = _NUMBER[Code.OPEN_QUOTE]
    codes[bounds.misplaced] = _NUMBER[Code.BAD_QUOTE]
    codes[_ill_encoded(data, bounds)] = _NUMBER[Code.BAD_ENCODING]
    codes[_with_nul(data, bounds)] = _NUMBER[Code.NUL_BYTE]
    codes[bounds.end - bounds.start > limits.record] = _NUMBER[Code.ROW_TOO_LARGE]
    codes[_blank(data, bounds, delimiter)] = BLANK
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
    return _absorb(examined) if absorb_extra and quote else examined


def _with_large_cell(
    data: bytes, bounds: RecordBounds, delimiter: str, limits: ScanLimits, quote: str
) -> list[int]:
    large = np.flatnonzero(bounds.end - bounds.start > limits.cell).tolist()
    records = ((i, data[bounds.start[i] : bounds.end[i]]) for i in large)
    return [i for i, raw in records if _largest_cell(raw, delimiter, quote)[1] > limits.cell]


def _largest_cell(raw: bytes, delimiter: str, quote: str) -> tuple[int, int]:
    """Number (from 1) and bytes of a record's largest cell."""
    sizes = [
        len(cell.encode("utf-8", "surrogateescape"))
        for cell in cells.split(raw.decode("utf-8", "surrogateescape"), delimiter, quote)
    ]
    largest = max(sizes)
    return sizes.index(largest) + 1, largest


def _ill_encoded(data: bytes, bounds: RecordBounds) -> list[int]:
    """Records with ill-formed UTF-8. A line feed is never part of an ill-formed sequence."""
    records: list[int] = []
    if data.isascii():
        return records
    used, at = memoryview(data)[: bounds.rest], 0
    while at < len(used):
        try:
            codecs.utf_8_decode(used[at:], "strict", True)
            break
        except UnicodeDecodeError as error:
            records.append(int(np.searchsorted(bounds.end, at + error.start)))
            at = int(bounds.end[records[-1]]) + 1
    return records


def _with_nul(data: bytes, bounds: RecordBounds) -> Ints:
    if b"\0" not in data:
        return np.empty(0, np.int64)
    at = np.flatnonzero(np.frombuffer(data, np.uint8)[: bounds.rest] == 0)
    return np.unique(np.searchsorted(bounds.end, at))


def _blank(data: bytes, bounds: RecordBounds, delimiter: str) -> list[int]:
    """Lines of only white space. A tab does not count where it is the delimiter."""
    blank = b" \t\r\v\f".replace(delimiter.encode(), b"")
    if not bounds.start.size:
        return []
    first = np.frombuffer(data, np.uint8)[bounds.start]
    begin_so = np.isin(first, np.frombuffer(blank + b"\n", np.uint8))
    candidates = np.flatnonzero(begin_so & (bounds.cells == 1)).tolist()
    return [i for i in candidates if not data[bounds.start[i] : bounds.end[i]].strip(blank)]


def _absorb(examined: Examined) -> Examined:
    """Join the surplus cells of otherwise well-formed records with their last cell."""
    surplus = np.flatnonzero(examined.codes == _NUMBER[Code.TOO_MANY_CELLS])
    if not surplus.size:
        return examined
    start, end = examined.start, examined.end
    sizes, codes = end - start + 1, examined.codes.copy()
    parts: list[bytes] = []
    at = 0
    for i in surplus.tolist():
        record, fits = _absorbed(examined, i)
        parts += [examined.data[at : start[i]], record]
        at, sizes[i] = int(end[i]) + 1, len(record)
        codes[i] = GOOD if fits else _NUMBER[Code.CELL_TOO_LARGE]
    data = b"".join([*parts, examined.data[at:]])
    ends = np.cumsum(sizes)
    return Examined(
        data=data,
        start=ends - sizes,
        end=ends - 1,
        first=examined.first,
        cells=examined.cells,
        codes=codes,
        delimiter=examined.delimiter,
        columns=examined.columns,
        limits=examined.limits,
        quote=examined.quote,
    )


def _absorbed(examined: Examined, index: int) -> tuple[bytes, bool]:
    """The record rewritten with its line end, and whether the joined cell is small enough."""
    raw, delimiter, quote = _raw(examined, index), examined.delimiter, examined.quote
    values = cells.split(raw.decode("utf-8"), delimiter, quote)
    head, last = values[: examined.columns - 1], ",".join(values[examined.columns - 1 :])
    record = delimiter.join(cells.quoted(value, delimiter, quote) for value in [*head, last])
    return record.encode("utf-8") + b"\n", len(last.encode("utf-8")) <= examined.limits.cell


def _raw(examined: Examined, index: int) -> bytes:
    return examined.data[examined.start[index] : examined.end[index]]


def explain(examined: Examined, index: int, line: int) -> MalformedRecord:
    """Say what is wrong with one record. line: physical line of the buffer's first byte."""
    raw = _raw(examined, index)
    code = _ORDER[int(examined.codes[index]) - 2]
    line += int(examined.first[index])
    if code is Code.ROW_TOO_LARGE:
        return oversized(raw, line, examined.limits)
    message, value = _message(code, raw, int(examined.cells[index]), examined)
    return MalformedRecord(line, code, raw, message, value)


def oversized(raw: bytes, line: int, limits: ScanLimits) -> MalformedRecord:
    """A line that goes on beyond the record limit. raw: as much of it as was read."""
    message = _too_large("row", f"more than {limits.record:,}", limits.record)
    raw = raw[: limits.record]
    return MalformedRecord(line, Code.ROW_TOO_LARGE, raw, message, _excerpt(raw))


def _message(code: Code, raw: bytes, count: int, examined: Examined) -> tuple[str, str]:
    """The message for a malformed record, and the part of it that is wrong."""
    limits = examined.limits
    if code in (Code.TOO_FEW_CELLS, Code.TOO_MANY_CELLS):
        return _wrong_count(count, examined.columns, examined.delimiter), _excerpt(raw)
    if code is Code.CELL_TOO_LARGE:
        number, size = _largest_cell(raw, examined.delimiter, examined.quote)
        return _too_large(f"cell {number} of this row", f"{size:,}", limits.cell), _excerpt(raw)
    if code is Code.BAD_ENCODING:
        return _BAD_ENCODING, _around_bad_byte(raw)
    if code is Code.OPEN_QUOTE:
        at = raw.rfind(examined.quote.encode())
        return _quote_message(_OPEN_QUOTE, examined), _excerpt(raw[at:])
    if code is Code.NUL_BYTE:
        return _NUL_BYTE, _excerpt(raw)
    return _quote_message(_BAD_QUOTE, examined), _excerpt(raw)


def _quote_message(message: str, examined: Examined) -> str:
    name = "double" if examined.quote == '"' else "single"
    return message.format(name=name, sign=examined.quote, limit=examined.limits.record)


_BAD_ENCODING = (
    "This row contains bytes that are not text in the file's encoding. "
    "Save the whole file as UTF-8 and send it again."
)
_BAD_QUOTE = (
    "A {name} quote ({sign}) is in the wrong place in this row. Put {name} "
    "quotes around the whole value and write each {name} quote inside it twice "
    "({sign}{sign})."
)
_OPEN_QUOTE = (
    "A {name} quote ({sign}) opens a value in this row and is not closed "
    "properly (looked for within {limit:,} bytes). Close it or remove it. "
    "Reading continued at the next line."
)
_NUL_BYTE = (
    "This row contains a NUL character, which no value may have. "
    "Export the file again, or remove the character."
)


def _wrong_count(count: int, columns: int, delimiter: str) -> str:
    cells_word = "cell" if count == 1 else "cells"
    name = _DELIMITERS.get(delimiter, delimiter)
    if count < columns:
        advice = "Add the missing cells; a cell without a value still needs its delimiter"
    else:
        advice = (
            f"Put double quotes around a value that contains a {name}, or remove the extra cells"
        )
    return f"This row has {count:,} {cells_word}, the header has {columns:,}. {advice}."


def _too_large(what: str, size: str, limit: int) -> str:
    subject = "This row" if what == "row" else what.capitalize()
    return f"{subject} has {size} bytes; the maximum is {limit:,}. Shorten it."


def _excerpt(raw: bytes) -> str:
    return (
        raw[: SHOWN_CHARACTERS * 4]
        .decode("utf-8", "replace")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")[:SHOWN_CHARACTERS]
    )


def _around_bad_byte(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        near = raw[max(0, error.start - 30) : error.end + 30]
        return near.decode("utf-8", "backslashreplace").replace("\0", "\\x00")[:SHOWN_CHARACTERS]
    return _excerpt(raw)
