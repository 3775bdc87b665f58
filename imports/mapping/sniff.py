"""How a sample file is to be read: its dialect, and the quotes, the header and the footers.

A guess for a person to see and correct, with a confidence and notes on what it left out. Pure.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from imports.issues import counted
from imports.mapping.layout import (
    SampleLayout,
    footers,
    kind_of,
    lay_out,
    names_a_column,
    usual_width,
)
from imports.scan import dialect
from imports.scan.dialect import DELIMITERS, Dialect

QUOTES = ('"', "'", "none")

_HEAD = 256 << 10  # bytes
_TAIL = 64 << 10
_RECORDS = 200
_SCORED = 4_000  # cells
_SHOWN = 20  # first rows
_UNHEADED = 0.45  # of the score of columns without names below a single name
_LONGEST = 500  # characters of a cell that is shown
_SEP = re.compile(r'^\ufeff?"?sep=(.|\\t)"?$', re.IGNORECASE)


def _enclosed(quote: str, delimiter: str) -> re.Pattern[str]:
    """A cell in quotes."""
    part = re.escape(delimiter)
    return re.compile(rf"(?m)(?:^|{part})\s*{quote}[^{quote}\n]*{quote}\s*(?={part}|$)")


_QUOTED = {(quote, d): _enclosed(quote, d) for quote in ('"', "'") for d in DELIMITERS}


@dataclass(frozen=True, slots=True)
class Sniffed:
    """How to read a file, as far as a sample of it shows.

    dialect: with the delimiter that goes with the layout; its quote is "" for none. quote: '"',
    "'" or "none". header_row: 1, or 0 where the first row is data. skip_rows: physical lines
    before the header (blank ones count). skip_last: records at the end that are no rows (blank
    lines do not count). columns: the header's names; "Column 1" and so on without one. first_rows:
    at most 20. confidence: 0 to 1. notes: sentences on what was left out or is doubtful.
    """

    dialect: Dialect
    quote: str
    header_row: int
    skip_rows: int
    skip_last: int
    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    confidence: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Record:
    line: int  # physical lines before it
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The sample's records under one delimiter and quote, and how regular they are."""

    delimiter: str
    quote: str
    records: list[_Record]
    score: float


def sniff(source: BinaryIO, size: int) -> Sniffed:
    """How to read a file of `size` bytes. Raises FileRefused as `dialect.detect` does.

    Reads about 1.6 MB at most and leaves the position undefined.
    """
    detected = dialect.detect(source, size)
    head = _lines(_part(source, detected, detected.bom, _HEAD), detected, size > _HEAD)
    declared = _declared_delimiter(head)
    attempt = _best(head, detected, declared)
    rows = [record.cells for record in attempt.records]
    laid = lay_out(rows)
    body = [row for row in rows[laid.first + laid.header :] if len(row) == laid.width]
    last = _last_rows(source, size, detected, attempt, rows[laid.first + laid.header :])
    skip_last = footers(last, laid.width, body)
    return _sniffed(detected, attempt, laid, skip_last, bool(declared), size <= _HEAD)


def _part(source: BinaryIO, detected: Dialect, at: int, size: int) -> str:
    source.seek(at)
    return source.read(size).decode(detected.encoding, "replace")


def _lines(text: str, detected: Dialect, cut: bool) -> list[str]:
    """The physical lines; the last is left out where the sample ends inside it."""
    ends = r"\r\n|\r|\n" if detected.line_end == "cr" else r"\r*\n"
    lines = re.split(ends, text.lstrip("\ufeff"))
    if len(lines) > 1 and (cut or not lines[-1]):
        lines.pop()
    return lines


def _declared_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter that a first line `sep=;` names, as Excel understands it."""
    named = _SEP.match(lines[0].strip()) if lines else None
    return named and {"\\t": "\t"}.get(named[1], named[1])


def _best(lines: Sequence[str], detected: Dialect, declared: str | None) -> _Attempt:
    """The delimiter and quote under which the records agree best."""
    at = 1 if declared else 0
    delimiters = (declared,) if declared in DELIMITERS else DELIMITERS
    attempts = [
        _attempt(lines, at, delimiter, quote)
        for delimiter in delimiters
        for quote in _quotes(lines, delimiter)
    ]
    return max(attempts, key=lambda a: (round(a.score, 3), a.delimiter == detected.delimiter))


def _quotes(lines: Sequence[str], delimiter: str) -> Iterator[str]:
    """The quotes that are worth a try: single ones only where they enclose cells."""
    text = "\n".join(lines[:_RECORDS])
    double, single = (len(_QUOTED[q, delimiter].findall(text)) for q in ('"', "'"))
    if single > max(double, min(len(lines), _RECORDS) // 4):
        yield "'"
    elif '"' in text and not double and not re.search(rf'(?m)(?:^|{re.escape(delimiter)})"', text):
        yield "none"
    else:
        yield '"'


def _attempt(lines: Sequence[str], at: int, delimiter: str, quote: str) -> _Attempt:
    records = list(islice(_records(lines, at, delimiter, quote), _RECORDS))
    return _Attempt(delimiter, quote, records, _score([record.cells for record in records]))


def _records(lines: Sequence[str], at: int, delimiter: str, quote: str) -> Iterator[_Record]:
    """Records that are not blank. An open quote costs one line, as in the import."""
    while at < len(lines):
        end = _record_end(lines, at, quote)
        text = "\n".join(lines[at:end])
        if text.strip(" \t\r\n\v\f" if delimiter != "\t" else " \r\n\v\f"):
            yield _Record(at, _cells(text, delimiter, quote))
        at = end


def _record_end(lines: Sequence[str], at: int, quote: str) -> int:
    if quote == "none":
        return at + 1
    quotes, end = lines[at].count(quote), at + 1
    if quote == "'" and not lines[at].lstrip().startswith("'"):
        return end
    while quotes % 2 and end < min(len(lines), at + 50):
        quotes, end = quotes + lines[end].count(quote), end + 1
    return at + 1 if quotes % 2 else end


def _cells(text: str, delimiter: str, quote: str) -> tuple[str, ...]:
    if quote == "none":
        return tuple(text.split(delimiter))
    try:
        rows = list(csv.reader([text], delimiter=delimiter, quotechar=quote, skipinitialspace=True))
    except csv.Error:  # a cell beyond the module's limit
        return tuple(text.split(delimiter))
    return tuple(rows[0]) if rows else ("",)


def _score(rows: Sequence[Sequence[str]]) -> float:
    """How regular the records are, and how much their cells look like values."""
    if not rows:
        return 0.0
    width = usual_width(rows)
    if width == 1:
        return 0.3
    agreeing = [row for row in rows if len(row) == width]
    regular = len(agreeing) / len(rows)
    sample = [cell for row in agreeing[:50] for cell in row][:_SCORED]
    plain = sum(kind_of(cell) != "text" or _word(cell) for cell in sample) / len(sample)
    score = math.sqrt(regular) * (0.3 + 0.7 * plain) * (1 - 0.4 / width)
    return score * _UNHEADED if _under_one_name(rows[0], agreeing[0]) else score


def _under_one_name(first: Sequence[str], widest: Sequence[str]) -> bool:
    """Whether the file begins with the name of one column, and no wider header follows."""
    alone = len(first) == 1 and names_a_column(first[0])
    return alone and not any(map(names_a_column, widest))


def _word(cell: str) -> bool:
    """Whether a text is no longer than a name is and holds no other delimiter."""
    other = any(delimiter in cell for delimiter in DELIMITERS if delimiter != ",")
    return len(cell) <= 60 and not other and cell.count(",") < 2


def _last_rows(
    source: BinaryIO,
    size: int,
    detected: Dialect,
    attempt: _Attempt,
    shown: Sequence[tuple[str, ...]],
) -> Sequence[tuple[str, ...]]:
    """The last records, from the sample where that is the whole file."""
    at = max(detected.bom, (size - _TAIL) & ~1)
    lines = _lines(_part(source, detected, at, _TAIL + 1), detected, cut=False)
    if at == detected.bom:
        if len(attempt.records) < _RECORDS:
            return shown
    else:
        lines = lines[1:]
    return [record.cells for record in _records(lines, 0, attempt.delimiter, attempt.quote)]


def _sniffed(
    detected: Dialect,
    attempt: _Attempt,
    laid: SampleLayout,
    skip_last: int,
    declared: bool,
    whole: bool,
) -> Sniffed:
    start = attempt.records[laid.first]
    rows = [record.cells for record in attempt.records[laid.first + laid.header :]]
    if whole and len(attempt.records) < _RECORDS and skip_last:
        rows = rows[:-skip_last]
    names = start.cells if laid.header else _numbered(laid.width)
    quote = "" if attempt.quote == "none" else attempt.quote
    return Sniffed(
        dialect=replace(detected, delimiter=attempt.delimiter, quote=quote),
        quote=attempt.quote,
        header_row=int(laid.header),
        skip_rows=start.line,
        skip_last=skip_last,
        columns=tuple(name.strip().strip("\ufeff")[:_LONGEST] for name in names),
        first_rows=tuple(_shown(row) for row in rows[:_SHOWN]),
        confidence=round(laid.sure * min(1.0, 0.5 + attempt.score), 2),
        notes=tuple(_notes(attempt, laid, start.line, skip_last, declared, names)),
    )


def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"Column {number}" for number in range(1, width + 1))


def _shown(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell[:_LONGEST] for cell in row)


def _notes(
    attempt: _Attempt,
    laid: SampleLayout,
    skipped: int,
    skip_last: int,
    declared: bool,
    names: Sequence[str],
) -> Iterator[str]:
    if declared:
        yield "The first line names the delimiter."
    if skipped > declared:
        yield f"Skipped before the header: {counted(skipped, 'line')}."
    if skip_last:
        yield f"Skipped at the end because they are not rows: {counted(skip_last, 'record')}."
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
