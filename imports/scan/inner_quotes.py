"""Quotes within a value that nobody doubled: `Ann "Annie" Lee`, `"a 5" pipe"`. Pure.

Such a quote has text on both sides, so that it can neither open nor close a value, and every quote
of a well-formed record can. Where a line has the right number of values with those quotes taken for
text, that is what they are; quotes at the edge of a value stay an error.
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


def without_inner(text: str, delimiter: str, quote: str) -> str:
    """The text with a NUL character for each quote that has text on both sides."""
    return _inner(delimiter, quote).sub(rf"\1{_MARK}", text)


def requoted(text: str, delimiter: str, quote: str, columns: int) -> str | None:
    """One line written with its inner quotes doubled; None where other quotes are wrong in it too.

    columns: the values that it must have, apart from blank ones at the end; 0 for any number.
    """
    marked = without_inner(text, delimiter, quote)
    if marked == text:
        return None
    values, at, pattern = [], 0, _cell(delimiter, quote)
    while match := pattern.match(marked, at):
        inside = match[0] if match[1] is None else match[1].replace(quote * 2, quote)
        values.append(inside.replace(_MARK, quote))
        at = match.end() + 1
        if match.end() == len(marked):
            break
        if marked[match.end()] != delimiter:
            return None
    while columns and len(values) > columns and not values[-1].strip():
        values.pop()
    if columns and len(values) != columns:
        return None
    return delimiter.join(cells.quoted(value, delimiter, quote) for value in values)
