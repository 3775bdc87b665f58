"""How a sample file is to be read: its dialect, and the quotes, the header and the footers.

A guess for a person to see and correct, with a confidence and notes on what it left out. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import BinaryIO

from imports.issues import counted
from imports.mapping.attempts import RECORDS, DialectAttempt, best, records_of
from imports.mapping.layout import SampleLayout, lay_out
from imports.scan import dialect
from imports.scan.dialect import Dialect, named_delimiter
from imports.scan.encoding import EIGHT_BIT, utf8_of
from imports.scan.footer import MOST, is_footer
from imports.scan.wrapping import unwrapped

QUOTES = ('"', "'", "none")

_HEAD = 256 << 10  # bytes
_TAIL = 64 << 10
_SHOWN = 20  # first rows
_LEAD = 0.15  # of a delimiter that is surely the right one
_LONGEST = 500  # characters of a cell that is shown


@dataclass(frozen=True, slots=True)
class Sniffed:
    """How to read a file, as far as a sample of it shows.

    dialect: with the delimiter that goes with the layout; its quote is "" for none. quote: '"',
    "'" or "none". header_row: 1, or 0 where the first row is data. skip_rows: physical lines
    before the header (blank ones count, a first line `sep=;` alone does not). footers: texts of the
    last records that are no rows; each file's are found anew. columns: the header's names;
    "Column 1" and so on without one. first_rows: at most 20. confidence: 0 to 1. notes: sentences
    on what was left out or is doubtful.
    """

    dialect: Dialect
    quote: str
    header_row: int
    skip_rows: int
    footers: tuple[str, ...]
    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    confidence: float
    notes: tuple[str, ...]


def sniff(source: BinaryIO, size: int) -> Sniffed:
    """How to read a file of `size` bytes. Raises FileRefused as `dialect.detect` does.

    Reads about 1.6 MB at most and leaves the position undefined.
    """
    detected = dialect.detect(source, size)
    head = _lines(_part(source, detected, detected.bom, _HEAD), detected, size > _HEAD)
    declared = named_delimiter(head)
    attempt = best(head, detected, declared)
    rows = [record.cells for record in attempt.records]
    laid = lay_out(rows)
    last = _last_rows(source, size, detected, attempt, rows[laid.first + laid.header :])
    footers = _footers(last, laid.width)
    return _sniffed(detected, attempt, laid, footers, bool(declared), size <= _HEAD)


def _footers(rows: Sequence[tuple[str, ...]], width: int) -> tuple[str, ...]:
    """The texts of the last records that are no rows."""
    last = takewhile(lambda row: is_footer(row, width), rows[: -MOST - 1 : -1])
    return tuple(" ".join(filter(None, map(str.strip, row)))[:_LONGEST] for row in last)[::-1]


def _part(source: BinaryIO, detected: Dialect, at: int, size: int) -> str:
    source.seek(at)
    data = source.read(size)
    if detected.encoding in EIGHT_BIT:
        return utf8_of(data, detected.encoding).decode("utf-8", "replace")
    return data.decode(detected.encoding, "replace")


def _lines(text: str, detected: Dialect, cut: bool) -> list[str]:
    """The physical lines; the last is left out where the sample ends inside it."""
    ends = r"\r\n|\r|\n" if detected.line_end == "cr" else r"\r*\n"
    text = text.lstrip("\ufeff")
    if detected.escaped:
        sign = detected.quote
        text = re.sub(rf"\\([\\{sign}])", lambda m: sign * 2 if m[1] == sign else m[1], text)
    lines = re.split(ends, text)
    if len(lines) > 1 and (cut or not lines[-1]):
        lines.pop()
    return [unwrapped(line, detected.quote) for line in lines] if detected.wrapped else lines


def _last_rows(
    source: BinaryIO,
    size: int,
    detected: Dialect,
    attempt: DialectAttempt,
    shown: Sequence[tuple[str, ...]],
) -> Sequence[tuple[str, ...]]:
    """The last records, from the sample where that is the whole file."""
    at = max(detected.bom, (size - _TAIL) & ~1)
    lines = _lines(_part(source, detected, at, _TAIL + 1), detected, cut=False)
    if at == detected.bom:
        if len(attempt.records) < RECORDS:
            return shown
    else:
        lines = lines[1:]
    return [record.cells for record in records_of(lines, 0, attempt.delimiter, attempt.quote)]


def _sniffed(
    detected: Dialect,
    attempt: DialectAttempt,
    laid: SampleLayout,
    footers: tuple[str, ...],
    declared: bool,
    whole: bool,
) -> Sniffed:
    start = attempt.records[laid.first]
    rows = [record.cells for record in attempt.records[laid.first + laid.header :]]
    if whole and len(attempt.records) < RECORDS and footers:
        rows = rows[: -len(footers)]
    names = start.cells if laid.header else _numbered(laid.width)
    quote = "" if attempt.quote == "none" else attempt.quote
    return Sniffed(
        dialect=replace(detected, delimiter=attempt.delimiter, quote=quote),
        quote=attempt.quote,
        header_row=int(laid.header),
        skip_rows=0 if declared and start.line == 1 else start.line,
        footers=footers,
        columns=tuple(name.strip().strip("\ufeff")[:_LONGEST] for name in names),
        first_rows=tuple(_shown(row) for row in rows[:_SHOWN]),
        confidence=_confidence(detected, attempt, laid, declared),
        notes=(
            *_encoding_notes(detected),
            *_wrapping_notes(detected),
            *_notes(attempt, laid, start.line, footers, declared, names),
        ),
    )


def _confidence(
    detected: Dialect, attempt: DialectAttempt, laid: SampleLayout, declared: bool
) -> float:
    """How sure the reading is, 0 to 1: what contradicts it makes it less so."""
    sure = laid.sure if laid.header else min(laid.sure, 0.8)
    rows = attempt.records[laid.first :]
    sure *= 0.4 + 0.6 * sum(len(row.cells) == laid.width for row in rows) / len(rows)
    if laid.first or laid.width == 1:
        sure *= 0.9
    if attempt.lead < _LEAD and not declared:
        sure *= 0.75
    return round(sure * (0.6 if detected.doubtful else 1.0), 2)


def _encoding_notes(detected: Dialect) -> Iterator[str]:
    if detected.doubtful:
        yield (
            "The file is not UTF-8, and its encoding is not sure: some words have letters that"
            " names do not have. Choose the encoding under which the names are right."
        )
    elif detected.encoding in EIGHT_BIT:
        yield "The file is not UTF-8; its encoding was guessed. Check the letters of the names."


def _wrapping_notes(detected: Dialect) -> Iterator[str]:
    if detected.wrapped:
        yield "Each whole line stands in quotation marks; they were taken off."


def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"Column {number}" for number in range(1, width + 1))


def _shown(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell[:_LONGEST] for cell in row)


def _notes(
    attempt: DialectAttempt,
    laid: SampleLayout,
    skipped: int,
    footers: Sequence[str],
    declared: bool,
    names: Sequence[str],
) -> Iterator[str]:
    if declared:
        yield "The first line names the delimiter."
    if skipped > declared:
        yield f"Skipped before the header: {counted(skipped, 'line')}."
    for text in footers:
        yield f'Skipped at the end because it is a footer and not a row: "{text}".'
    if not laid.header:
        yield "The first row looks like data, not like a header, so the columns were numbered."
    elif laid.sure < 0.9:
        yield "The first row may not be a header."
    if attempt.quote == "'":
        yield "Values are in single quotes."
    if attempt.quote == "none":
        yield "Double quotes are part of the text; they do not enclose values."
    if laid.width == 1:
        yield "There is only one column. Choose the delimiter if there should be more."
    times = Counter(name.strip().lower() for name in names if name.strip())
    repeated = next((name for name, count in times.items() if count > 1), None)
    if repeated:
        yield (
            f'The name "{repeated[:60]}" appears more than once, so the repeated '
            "columns were numbered."
        )
