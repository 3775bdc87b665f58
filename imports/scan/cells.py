"""One record as cells: lenient splitting and exact quoting, for records that are handled singly."""

from __future__ import annotations

import re
from functools import lru_cache

QUOTE = '"'


def split(record: str, delimiter: str, quote: str = QUOTE) -> list[str]:
    """Return the cells of one record, unquoted. Never raises, whatever its quotes.

    quote: "" where quotes are text. A value that is never closed runs to the record's end; text
    after a closing quote is kept.
    """
    if not quote:
        return record.split(delimiter)
    cells: list[str] = []
    at = 0
    while True:
        cell, at = _next_cell(record, at, delimiter, quote)
        cells.append(cell)
        if at >= len(record):
            return cells
        at += 1


def _next_cell(record: str, at: int, delimiter: str, quote: str) -> tuple[str, int]:
    """Return the cell that starts at `at`, and where its delimiter (or the record's end) is."""
    begin = at
    while record.startswith(" ", begin) and delimiter != " ":
        begin += 1  # blanks before a quoted value are no part of it, nor are those after it
    is_quoted = record.startswith(quote, begin)
    inside, at = _quoted(record, begin + 1, quote) if is_quoted else ("", at)
    end = record.find(delimiter, at)
    end = len(record) if end < 0 else end
    tail = record[at:end]
    return inside if is_quoted and not tail.strip(" ") else inside + tail, end


def _quoted(record: str, at: int, quote: str) -> tuple[str, int]:
    """Return the value of a quoted cell whose opening quote is before `at`, and where it ends."""
    parts: list[str] = []
    while True:
        close = record.find(quote, at)
        if close < 0:
            return "".join([*parts, record[at:]]), len(record)
        parts.append(record[at:close])
        if not record.startswith(quote, close + 1):
            return "".join(parts), close + 1
        parts.append(quote)
        at = close + 2


def split_unbalanced(line: str, delimiter: str, quote: str) -> list[str]:
    """Return the cells of a line with a quote in the wrong place: `"Id,"First, or nick",Last`.

    Only cells that are enclosed as they should be may hold delimiters; the others lose the quotes
    at their edges.
    """
    values: list[str] = []
    enclosed, at = _enclosed(delimiter, quote), 0
    while at <= len(line):
        if match := enclosed.match(line, at):
            cell, end = match[1].replace(quote * 2, quote), match.end()
        else:
            end = line.find(delimiter, at)
            end = len(line) if end < 0 else end
            cell = line[at:end].strip(" ").strip(quote)
        values.append(cell)
        at = end + 1
    return values


@lru_cache
def _enclosed(delimiter: str, quote: str) -> re.Pattern[str]:
    sign, end = re.escape(quote), re.escape(delimiter)
    return re.compile(rf" *{sign}([^{sign}]*(?:{sign}{sign}[^{sign}]*)*){sign} *(?={end}|\Z)")


def quoted(value: str, delimiter: str, quote: str = QUOTE) -> str:
    """Write a value for a record (RFC 4180): quoted only where it has to be."""
    if quote in value or delimiter in value or "\n" in value or "\r" in value:
        return quote + value.replace(quote, quote * 2) + quote
    return value
