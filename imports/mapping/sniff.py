"""How a sample file is to be read: its dialect, and the quotes, the header and the footers.

A guess for a person to see and correct, with a confidence and notes on what it left out. Pure.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, takewhile
from typing import BinaryIO

from imports.issues import counted
from imports.mapping.layout import (
    SampleLayout,
    kind_of,
    lay_out,
    names_a_column,
    usual_width,
)
from imports.scan import dialect
from imports.scan.dialect import DELIMITERS, RARE, Dialect, named_delimiter
from imports.scan.encoding import EIGHT_BIT, utf8_of
from imports.scan.footer import MOST, is_footer

QUOTES = ('"', "'", "none")

_HEAD = 256 << 10  # bytes
_TAIL = 64 << 10
_RECORDS = 200
_SCORED = 4_000  # cells
_SHOWN = 20  # first rows
_UNHEADED = 0.45  # of the score of columns without names below a single name
_UNANIMOUS = 1.25  # where all records, the header too, have as many cells
_LEAD = 0.15  # of a delimiter that is surely the right one
_LONGEST = 500  # characters of a cell that is shown


@lru_cache
def _enclosed(quote: str, delimiter: str) -> re.Pattern[str]:
    """A cell in quotes."""
    part = re.escape(delimiter)
    return re.compile(rf"(?m)(?:^|{part})\s*{quote}[^{quote}\n]*{quote}\s*(?={part}|$)")


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


@dataclass(frozen=True, slots=True)
class _Record:
    line: int  # physical lines before it
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The sample's records under one delimiter and quote, and how regular they are.

    lead: by how much the score is better than that of the next best delimiter.
    """

    delimiter: str
    quote: str
    records: list[_Record]
    score: float
    lead: float = 0.0


def sniff(source: BinaryIO, size: int) -> Sniffed:
    """How to read a file of `size` bytes. Raises FileRefused as `dialect.detect` does.

    Reads about 1.6 MB at most and leaves the position undefined.
    """
    detected = dialect.detect(source, size)
    head = _lines(_part(source, detected, detected.bom, _HEAD), detected, size > _HEAD)
    declared = named_delimiter(head)
    attempt = _best(head, detected, declared)
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
    return lines


def _best(lines: Sequence[str], detected: Dialect, declared: str | None) -> _Attempt:
    """The delimiter and quote under which the records agree best."""
    at = 1 if declared else 0
    delimiters = (declared,) if declared else DELIMITERS
    attempts = [
        _attempt(lines, at, delimiter, quote)
        for delimiter in delimiters
        for quote in _quotes(lines, delimiter)
    ]
    if not declared and not any(map(_is_unanimous, attempts)):
        # Rare delimiters are frequent in values: they count only where all records agree.
        rare = [_attempt(lines, at, d, q) for d in RARE for q in _quotes(lines, d)]
        attempts += [attempt for attempt in rare if _is_unanimous(attempt)]
    best, *rest = sorted(
        attempts,
        key=lambda a: (round(a.score, 3), a.delimiter == detected.delimiter),
        reverse=True,
    )
    if not best.records:  # there are only quotes and delimiters
        best = replace(best, records=[_Record(at, ("",))])
    rivals = [a for a in rest if a.delimiter != best.delimiter]
    lead = best.score - max((a.score for a in rivals), default=0.0)
    return replace(best, lead=0.0 if any(_is_unanimous(a, 2) for a in rivals) else lead)


def _is_unanimous(attempt: _Attempt, width: int = 3) -> bool:
    """Whether all records have as many cells, and at least so many."""
    widths = {len(record.cells) for record in attempt.records}
    return len(widths) == 1 and min(widths) >= width and len(attempt.records) > 2


def _quotes(lines: Sequence[str], delimiter: str) -> Iterator[str]:
    """The quotes that are worth a try: single ones only where they enclose cells."""
    text = "\n".join(lines[:_RECORDS])
    double, single = (len(_enclosed(q, delimiter).findall(text)) for q in ('"', "'"))
    if single > max(double, min(len(lines), _RECORDS) // 4):
        yield "'"
    elif '"' in text and not double and not re.search(rf'(?m)(?:^|{re.escape(delimiter)})"', text):
        yield "none"
    else:
        yield '"'


def _attempt(lines: Sequence[str], at: int, delimiter: str, quote: str) -> _Attempt:
    records = _fitted(list(islice(_records(lines, at, delimiter, quote), _RECORDS)))
    return _Attempt(delimiter, quote, records, _score([record.cells for record in records]))


def _fitted(records: list[_Record]) -> list[_Record]:
    """The records without blank cells beyond the usual width, such as padding leaves."""
    if not records:
        return records
    width = usual_width([record.cells for record in records])
    return [
        record
        if len(record.cells) <= width or any(map(str.strip, record.cells[width:]))
        else _Record(record.line, record.cells[:width])
        for record in records
    ]


def _records(lines: Sequence[str], at: int, delimiter: str, quote: str) -> Iterator[_Record]:
    """Records that are not blank. An open quote costs one line, as in the import."""
    while at < len(lines):
        end = _record_end(lines, at, quote)
        text = "\n".join(lines[at:end])
        cells = _cells(text, delimiter, quote)
        if any(map(str.strip, cells)):
            yield _Record(at, cells)
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
        rows = list(_csv(text, delimiter, quote))
    except csv.Error:  # a cell beyond the module's limit
        return tuple(text.split(delimiter))
    return tuple(rows[0]) if rows else ("",)


def _csv(text: str, delimiter: str, quote: str) -> Iterator[list[str]]:
    blanks = delimiter != " "
    return csv.reader([text], delimiter=delimiter, quotechar=quote, skipinitialspace=blanks)


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
    score = regular * (0.3 + 0.7 * plain) * (1 - 0.4 / width)
    if regular == 1 and len(rows) > 2:
        score *= _UNANIMOUS
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
    footers: tuple[str, ...],
    declared: bool,
    whole: bool,
) -> Sniffed:
    start = attempt.records[laid.first]
    rows = [record.cells for record in attempt.records[laid.first + laid.header :]]
    if whole and len(attempt.records) < _RECORDS and footers:
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
            *_notes(attempt, laid, start.line, footers, declared, names),
        ),
    )


def _confidence(detected: Dialect, attempt: _Attempt, laid: SampleLayout, declared: bool) -> float:
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


def _numbered(width: int) -> tuple[str, ...]:
    return tuple(f"Column {number}" for number in range(1, width + 1))


def _shown(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell[:_LONGEST] for cell in row)


def _notes(
    attempt: _Attempt,
    laid: SampleLayout,
    skipped: int,
    footers: Sequence[str],
    declared: bool,
    names: Sequence[str],
) -> Iterator[str]:
    if declared:
        yield "The first line names the delimiter."
    if skipped > declared:
        yield f"Left out before the header: {counted(skipped, 'line')}."
    for text in footers:
        yield f'Left out at the end, since it is a footer and no row: "{text}".'
    if not laid.header:
        yield "The first row looks like data, not like a header. The columns were numbered."
    elif laid.sure < 0.9:
        yield "It is not sure that the first row is a header."
    if attempt.quote == "'":
        yield "Cells stand in single quotes."
    if attempt.quote == "none":
        yield "Double quotes are part of the text, they enclose nothing."
    if laid.width == 1:
        yield "There is one column only. Choose the delimiter if there should be more."
    times = Counter(name.strip().lower() for name in names if name.strip())
    repeated = next((name for name, count in times.items() if count > 1), None)
    if repeated:
        yield (
            f'The name "{repeated[:60]}" is there more than once: from the second on, the columns '
            "have a number."
        )
