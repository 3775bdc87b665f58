"""Which records are not well-formed, and the words for each."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imports.issues import Code
from imports.scan import cells
from imports.scan.chunks import Cut, Limits
from imports.scan.record_bounds import Ints, Layout

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
)  # a later one explains a record better than an earlier one
_NUMBER: Final = {code: number for number, code in enumerate(_ORDER, start=2)}
_FOUND = 200  # characters of Issue.found
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Examined:
    """The records of a buffer with a verdict each: GOOD, BLANK or the number of a code."""

    data: bytes
    start: Ints
    end: Ints
    first: Ints
    cells: Ints
    codes: NDArray[np.uint8]
    delimiter: str
    columns: int
    limits: Limits
    quote: str


def examine(
    data: bytes,
    layout: Layout,
    delimiter: str,
    columns: int,
    limits: Limits,
    absorb_extra: bool,
    quote: str = '"',
) -> Examined:
    """Judge each record of the layout. With `absorb_extra`, rewrite those with surplus cells.

    quote: "" where quotes are text; a joined cell could not be quoted then, so none is joined.
    """
    codes = np.zeros(layout.first.size, np.uint8)
    codes[layout.cells < columns] = _NUMBER[Code.TOO_FEW_CELLS]
    codes[layout.cells > columns] = _NUMBER[Code.TOO_MANY_CELLS]
    codes[_with_large_cell(data, layout, delimiter, limits, quote)] = _NUMBER[Code.CELL_TOO_LARGE]
    codes[layout.broken] = _NUMBER[Code.OPEN_QUOTE]
    codes[layout.misplaced] = _NUMBER[Code.BAD_QUOTE]
    codes[_ill_encoded(data, layout)] = _NUMBER[Code.BAD_ENCODING]
    codes[_with_nul(data, layout)] = _NUMBER[Code.NUL_BYTE]
    codes[layout.end - layout.start > limits.record] = _NUMBER[Code.ROW_TOO_LARGE]
    codes[_blank(data, layout, delimiter)] = BLANK
    examined = Examined(
        data,
        layout.start,
        layout.end,
        layout.first,
        layout.cells,
        codes,
        delimiter,
        columns,
        limits,
        quote,
    )
    return _absorb(examined) if absorb_extra and quote else examined


def _with_large_cell(
    data: bytes, layout: Layout, delimiter: str, limits: Limits, quote: str
) -> list[int]:
    large = np.flatnonzero(layout.end - layout.start > limits.cell).tolist()
    records = ((i, data[layout.start[i] : layout.end[i]]) for i in large)
    return [i for i, raw in records if _largest_cell(raw, delimiter, quote)[1] > limits.cell]


def _largest_cell(raw: bytes, delimiter: str, quote: str) -> tuple[int, int]:
    """Number (from 1) and bytes of a record's largest cell."""
    sizes = [
        len(cell.encode("utf-8", "surrogateescape"))
        for cell in cells.split(raw.decode("utf-8", "surrogateescape"), delimiter, quote)
    ]
    largest = max(sizes)
    return sizes.index(largest) + 1, largest


def _ill_encoded(data: bytes, layout: Layout) -> list[int]:
    """Records with ill-formed UTF-8. A line feed is never part of an ill-formed sequence."""
    found: list[int] = []
    if data.isascii():
        return found
    used, at = memoryview(data)[: layout.rest], 0
    while at < len(used):
        try:
            codecs.utf_8_decode(used[at:], "strict", True)
            break
        except UnicodeDecodeError as error:
            found.append(int(np.searchsorted(layout.end, at + error.start)))
            at = int(layout.end[found[-1]]) + 1
    return found


def _with_nul(data: bytes, layout: Layout) -> Ints:
    if b"\0" not in data:
        return np.empty(0, np.int64)
    at = np.flatnonzero(np.frombuffer(data, np.uint8)[: layout.rest] == 0)
    return np.unique(np.searchsorted(layout.end, at))


def _blank(data: bytes, layout: Layout, delimiter: str) -> list[int]:
    """Lines of only white space. A tab is none where it is the delimiter."""
    blank = b" \t\r\v\f".replace(delimiter.encode(), b"")
    if not layout.start.size:
        return []
    first = np.frombuffer(data, np.uint8)[layout.start]
    begin_so = np.isin(first, np.frombuffer(blank + b"\n", np.uint8))
    found = np.flatnonzero(begin_so & (layout.cells == 1)).tolist()
    return [i for i in found if not data[layout.start[i] : layout.end[i]].strip(blank)]


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


def explain(examined: Examined, index: int, line: int) -> Cut:
    """The cut of one record that is not good. line: physical line of the buffer's first byte."""
    raw = _raw(examined, index)
    code = _ORDER[int(examined.codes[index]) - 2]
    line += int(examined.first[index])
    if code is Code.ROW_TOO_LARGE:
        return oversized(raw, line, examined.limits)
    message, found = _words(code, raw, int(examined.cells[index]), examined)
    return Cut(line, code, raw, message, found)


def oversized(raw: bytes, line: int, limits: Limits) -> Cut:
    """The cut of a line that goes on beyond the record limit. raw: as much of it as was read."""
    message = _too_large("row", f"more than {limits.record:,}", limits.record)
    raw = raw[: limits.record]
    return Cut(line, Code.ROW_TOO_LARGE, raw, message, _excerpt(raw))


def _words(code: Code, raw: bytes, count: int, examined: Examined) -> tuple[str, str]:
    """The message for a cut and what was found."""
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
        return _quote_words(_OPEN_QUOTE, examined), _excerpt(raw[at:])
    if code is Code.NUL_BYTE:
        return _NUL_BYTE, _excerpt(raw)
    return _quote_words(_BAD_QUOTE, examined), _excerpt(raw)


def _quote_words(message: str, examined: Examined) -> str:
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
        raw[: _FOUND * 4]
        .decode("utf-8", "replace")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")[:_FOUND]
    )


def _around_bad_byte(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        near = raw[max(0, error.start - 30) : error.end + 30]
        return near.decode("utf-8", "backslashreplace").replace("\0", "\\x00")[:_FOUND]
    return _excerpt(raw)
