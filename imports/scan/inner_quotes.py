"""Quotes within a value that nobody doubled: `Ann "Annie" Lee`, `"a 5" pipe"`. Pure.

Such a quote has text on both sides, so that it can neither open nor close a value, and every quote
of a well-formed record can. Where a line has the right number of values with those quotes taken for
text, that is what they are. So is the second of a pair at a value's end, `Ann "Annie"`; other
quotes at the edge of a value stay an error.
"""

from __future__ import annotations

import re
from functools import lru_cache

from imports.scan import cells

_MARK = "\0"  # stands for such a quote; no record with a NUL character is read


@lru_cache
def _inner(delimiter: str, quote: str) -> re.Pattern[str]:
    edge = re.escape(delimiter) + re.escape(quote) + r"\n "
    return re.compile(rf"([^{edge}] *){re.escape(quote)}(?= *[^{edge}])")


@lru_cache
def _cell(delimiter: str, quote: str) -> re.Pattern[str]:
    mark, end = re.escape(quote), re.escape(delimiter)
    return re.compile(
        rf" *{mark}([^{mark}]*(?:{mark}{mark}[^{mark}]*)*){mark} *(?={end}|\Z)|[^{mark}{end}]*"
    )


@lru_cache
def _last(delimiter: str, quote: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(quote)} *(?={re.escape(delimiter)}|\Z)")


def _without_inner(text: str, delimiter: str, quote: str) -> str:
    """The text with a NUL character for each quote that has text on both sides."""
    return _inner(delimiter, quote).sub(rf"\1{_MARK}", text)


def requoted(text: str, delimiter: str, quote: str, columns: int) -> str | None:
    """One line written with its inner quotes doubled; None where other quotes are wrong in it too.

    columns: the values that it must have, apart from blank ones at the end; 0 for any number.
    """
    marked = _without_inner(text, delimiter, quote)
    if marked == text:
        return None
    values, at, pattern = [], 0, _cell(delimiter, quote)
    while match := pattern.match(marked, at):
        end = match.end()
        inside = match[0] if match[1] is None else match[1].replace(quote * 2, quote)
        if match[1] is None and inside.count(_MARK) % 2:
            end += len(last[0]) if (last := _last(delimiter, quote).match(marked, end)) else 0
            inside = marked[at:end]
        values.append(inside.replace(_MARK, quote))
        at = end + 1
        if end == len(marked):
            break
        if marked[end] != delimiter:
            return None
    while columns and len(values) > columns and not values[-1].strip():
        values.pop()
    if columns and len(values) != columns:
        return None
    return delimiter.join(cells.quoted(value, delimiter, quote) for value in values)
