"""A sample taken apart under each delimiter and quote, and how well each of them fits. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from imports.mapping.layout import kind_of, names_a_column, usual_width
from imports.scan.cells import split_unbalanced
from imports.scan.dialect import DELIMITERS, RARE, Dialect

RECORDS = 200
_SCORED = 4_000  # cells
_UNHEADED = 0.45  # of the score of columns without names below a single name
_UNANIMOUS = 1.25  # where all records, the header too, have as many cells


@lru_cache
def _enclosed(quote: str, delimiter: str) -> re.Pattern[str]:
    """A cell in quotes."""
    part = re.escape(delimiter)
    return re.compile(rf"(?m)(?:^|{part})\s*{quote}[^{quote}\n]*{quote}\s*(?={part}|$)")


@dataclass(frozen=True, slots=True)
class SampleRecord:
    line: int  # physical lines before it
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DialectAttempt:
    """The sample's records under one delimiter and quote, and how regular they are.

    lead: by how much the score is better than that of the next best delimiter.
    """

    delimiter: str
    quote: str
    records: list[SampleRecord]
    score: float
    lead: float = 0.0


def best(lines: Sequence[str], detected: Dialect, declared: str | None) -> DialectAttempt:
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
    likeliest, *rest = sorted(
        attempts,
        key=lambda a: (round(a.score, 3), a.delimiter == detected.delimiter),
        reverse=True,
    )
    if not likeliest.records:  # there are only quotes and delimiters
        likeliest = replace(likeliest, records=[SampleRecord(at, ("",))])
    rivals = [a for a in rest if a.delimiter != likeliest.delimiter]
    lead = likeliest.score - max((a.score for a in rivals), default=0.0)
    return replace(likeliest, lead=0.0 if any(_is_unanimous(a, 2) for a in rivals) else lead)


def _is_unanimous(attempt: DialectAttempt, width: int = 3) -> bool:
    """Whether all records have as many cells, and at least so many."""
    widths = {len(record.cells) for record in attempt.records}
    return len(widths) == 1 and min(widths) >= width and len(attempt.records) > 2


def _quotes(lines: Sequence[str], delimiter: str) -> Iterator[str]:
    """The quotes that are worth a try: single ones only where they enclose cells."""
    text = "\n".join(lines[:RECORDS])
    double, single = (len(_enclosed(q, delimiter).findall(text)) for q in ('"', "'"))
    if single > max(double, min(len(lines), RECORDS) // 4):
        yield "'"
    elif '"' in text and not double and not re.search(rf'(?m)(?:^|{re.escape(delimiter)})"', text):
        yield "none"
    else:
        yield '"'


def _attempt(lines: Sequence[str], at: int, delimiter: str, quote: str) -> DialectAttempt:
    records = _fitted(list(islice(records_of(lines, at, delimiter, quote), RECORDS)))
    return DialectAttempt(delimiter, quote, records, _score([record.cells for record in records]))


def _fitted(records: list[SampleRecord]) -> list[SampleRecord]:
    """The records without blank cells beyond the usual width, such as padding leaves."""
    if not records:
        return records
    width = _without_padding([record.cells for record in records])
    return [
        record
        if len(record.cells) <= width or any(map(str.strip, record.cells[width:]))
        else SampleRecord(record.line, record.cells[:width])
        for record in records
    ]


def _without_padding(rows: Sequence[Sequence[str]]) -> int:
    """The usual width; the header's, where each row has only blank cells beyond it."""
    width = usual_width(rows)
    usual = [row for row in rows if len(row) == width]
    filled = max(max(at for at, cell in enumerate(["x", *row]) if cell.strip()) for row in usual)
    return len(rows[0]) if filled <= len(rows[0]) < width and len(rows[0]) > 1 else width


def records_of(lines: Sequence[str], at: int, delimiter: str, quote: str) -> Iterator[SampleRecord]:
    """Records that are not blank. An open quote costs one line, as in the import."""
    while at < len(lines):
        end = _record_end(lines, at, quote)
        text = "\n".join(lines[at:end])
        cells = _cells(text, delimiter, quote)
        if any(map(str.strip, cells)):
            yield SampleRecord(at, cells)
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
    if text.count(quote) % 2 and "\n" not in text:
        return tuple(split_unbalanced(text, delimiter, quote))
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
