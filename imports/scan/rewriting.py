"""Records that are written anew: what they mean is sure, but not how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from imports.issues import Code
from imports.scan import cells
from imports.scan.inner_quotes import requoted
from imports.scan.record_bounds import find_records
from imports.scan.verdicts import GOOD, NUMBER, Examined, largest_cell, raw_of
from imports.scan.wrapping import stands_in_quotes, unwrapped

SURELY_SEVERAL = 3  # columns; "Lee, Ann" alone may be one value of a row of two


def with_meant_quotes(examined: Examined, named: int) -> Examined:
    """Write records anew whose quotes are not as they should be, where it is sure what they mean:
    quotes within a value are not doubled (`inner_quotes`), or the whole row stands in quotes.

    named: columns up to the last that has a name.
    """
    codes = examined.codes
    suspects = (codes == NUMBER[Code.BAD_QUOTE]) | (codes == NUMBER[Code.OPEN_QUOTE])
    if named >= SURELY_SEVERAL:
        suspects |= (codes == NUMBER[Code.TOO_FEW_CELLS]) & (examined.cells == 1)
    records: dict[int, bytes] = {}
    for index in np.flatnonzero(suspects).tolist():
        written = _as_meant(raw_of(examined, index).decode("utf-8"), examined)
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


def _as_meant(text: str, examined: Examined) -> str | None:
    delimiter, quote, columns = examined.delimiter, examined.quote, examined.columns
    if not quote:
        return None
    if columns >= SURELY_SEVERAL and stands_in_quotes(text, quote):
        inside = unwrapped(text, quote)
        return inside if _is_row(inside, examined) else None
    return requoted(text, delimiter, quote, columns)


def _is_row(text: str, examined: Examined) -> bool:
    """Whether one line is a well-formed record with as many cells as there are columns."""
    data, limit = text.encode("utf-8") + b"\n", examined.limits.record
    bounds = find_records(data, examined.delimiter, limit, True, examined.quote)
    faulty = bounds.misplaced.any() or bounds.broken.any()
    return not faulty and bounds.cells.tolist() == [examined.columns]


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


def absorb(examined: Examined) -> Examined:
    """Join the surplus cells of otherwise well-formed records with their last cell."""
    surplus = np.flatnonzero(examined.codes == NUMBER[Code.TOO_MANY_CELLS]).tolist()
    if not surplus:
        return examined
    codes = examined.codes.copy()
    records: dict[int, bytes] = {}
    for index in surplus:
        records[index], fits = _absorbed(examined, index)
        codes[index] = GOOD if fits else NUMBER[Code.CELL_TOO_LARGE]
    return _respliced(replace(examined, codes=codes), records)


def _absorbed(examined: Examined, index: int) -> tuple[bytes, bool]:
    """The record rewritten with its line end, and whether the joined cell is small enough."""
    raw, delimiter, quote = raw_of(examined, index), examined.delimiter, examined.quote
    values = cells.split(raw.decode("utf-8"), delimiter, quote)
    head, last = values[: examined.columns - 1], ",".join(values[examined.columns - 1 :])
    record = delimiter.join(cells.quoted(value, delimiter, quote) for value in [*head, last])
    return record.encode("utf-8") + b"\n", len(last.encode("utf-8")) <= examined.limits.cell
