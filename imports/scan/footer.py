"""Leave out the records at a file's end that are no rows, such as a line of totals.

A footer is recognised by what it is, anew in each file: a line of totals, a count of records, a
time of creation, an end mark, a ruler. A record with a usable key is always a row.
"""

# ruff: noqa: RUF001  (letters and signs of other languages are the matter here)
from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from imports.issues import SHOWN_CHARACTERS
from imports.scan import cells
from imports.scan.chunks import Chunk, FooterRecord, keep
from imports.scan.dialect import Dialect

MOST = 20  # records at the end that may be no rows
_RULER = re.compile(r"[-=_*~+. ]{3,}")
_FOOTER = re.compile(
    r"""(?ix)^[\s\-=*\#<>(\[/]*(?:
      (?:grand\s|sub-?\s?)?totals?\b | summe\b | gesamt | somme\b | suma\b
    | end\b(?:\s+of\b.*)?\W*$ | eof\b | ende\b\W*$ | fin\b\W*$ | fin\s+d | trailer\b | trl\b
    | (?:row|record|line|zeilen|registros|datens\S+|lignes)s?\s*(?:count|number)?\s*[:=]
    | (?:number|count|anzahl|n[uú]mero|nombre)\s+(?:of|de|der)\b | count\s*[:=]
    | \(?[\d.,]+\s+(?:row|record|line|student|zeile|datens|registro|fila|ligne|enregistrement)
    | (?:report\s+)?(?:generated|created|printed|exported|erstellt|generado|run)
      \s*(?:on|at|by|am|el|:|date)
    | (?:source|quelle|fuente|copyright|confidential|page|seite|p[aá]gina)\b | ©
    )"""
)
_FIGURE = re.compile(r"[-+]?[$€£]?\s*[\d.,:/'’ TZ%+-]*\d[\d.,:/'’ TZ%+-]*")
_LABEL = re.compile(r"(?i).*(?::|\b(?:on|at|by|am|el))\s*$")
_MARK = re.compile(r"(?i)[\d:=]|\b(?:end|eof|fin|ende)\b")


@dataclass(frozen=True, slots=True)
class FooterRule:
    """What is known of the file's rows. key: positions of the key's columns; () if unknown.

    allowed: how many records at the end may also be left out because they have no key, whatever
    else they have.
    """

    key: tuple[int, ...] = ()
    allowed: int = 0


def is_footer(values: Sequence[str], columns: int, key: Sequence[int] = ()) -> bool:
    """Whether a record at the file's end is no row. columns: that rows have."""
    filled = [value.strip() for value in values if value.strip()]
    if all(map(_RULER.fullmatch, filled)):
        return True
    if _has_key(values, key) or not (_are_sums(values, columns, key) or _says_footer(filled)):
        return False
    others = filled[1:]
    if columns == 1:
        return bool(_MARK.search(filled[0]))
    if len(values) != columns:
        return len(filled) < 3 or all(map(_FIGURE.fullmatch, others))
    named = len(others) == 1 and _LABEL.match(filled[0]) and len(filled) * 2 <= columns
    return bool(named) or all(map(_FIGURE.fullmatch, others))


def _has_key(values: Sequence[str], key: Sequence[int]) -> bool:
    """Whether all columns of the key have a value, and it is not the footer's own text."""
    parts = [values[at].strip() if at < len(values) else "" for at in key]
    return bool(parts) and all(parts) and not any(_says_footer([part]) for part in parts)


def _are_sums(values: Sequence[str], columns: int, key: Sequence[int]) -> bool:
    """Whether there are only figures, and none under the key or in the first column."""
    first = min(key, default=0)
    alone = columns > 2 and not any(map(str.strip, values[first : first + 1]))
    return alone and all(_FIGURE.fullmatch(value.strip()) for value in values if value.strip())


def _says_footer(filled: Sequence[str]) -> bool:
    return bool(_FOOTER.match(",".join(filled))) or all(map(_RULER.fullmatch, filled))


def without_footers(
    chunks: Iterator[Chunk], dialect: Dialect, columns: int, rule: FooterRule
) -> Iterator[Chunk]:
    """Yield the chunks without the footers at the file's end, which the last chunk names.

    Only as many chunks are held back as may contain the last records.
    """
    held: deque[Chunk] = deque()
    count = 0
    for chunk in chunks:
        held.append(chunk)
        count += _size(chunk)
        while count - _size(held[0]) >= MOST:
            first = held.popleft()
            count -= _size(first)
            yield first
    footers = _footers(held, dialect, columns, rule)
    for chunk in held:
        yield _before(chunk, footers) if footers else chunk


def _size(chunk: Chunk) -> int:
    return len(chunk.lines) + len(chunk.malformed)


def _footers(
    held: Sequence[Chunk], dialect: Dialect, columns: int, rule: FooterRule
) -> list[FooterRecord]:
    footers: list[FooterRecord] = []
    for line, raw in _last_records(held):
        text = raw.decode("utf-8", "replace")
        values = cells.split(text, dialect.delimiter, dialect.quote)
        allowed = len(footers) < rule.allowed and _is_keyless(values, columns, rule.key)
        if not (allowed or is_footer(values, columns, rule.key)):
            break
        footers.append(FooterRecord(line, text[:SHOWN_CHARACTERS].replace("\0", "")))
    return footers[::-1]


def _is_keyless(values: Sequence[str], columns: int, key: Sequence[int]) -> bool:
    """Whether a record has no key: its cells are blank, or it is a single text."""
    alone = columns > 2 and len(values) == 1
    parts = [values[at].strip() if at < len(values) else "" for at in key]
    return alone or (bool(parts) and not all(parts))


def _last_records(held: Sequence[Chunk]) -> list[tuple[int, bytes]]:
    """The last records with their lines, the last one first."""
    records: list[tuple[int, bytes]] = []
    for chunk in held:
        starts, ends = chunk.offsets[:-1][-MOST:].tolist(), chunk.offsets[1:][-MOST:].tolist()
        lines = chunk.lines[-MOST:].tolist()
        for line, start, end in zip(lines, starts, ends, strict=True):
            records.append((line, chunk.data[start : end - 1]))
        records += [(record.line, record.raw) for record in chunk.malformed[-MOST:]]
    return sorted(records, reverse=True)[:MOST]


def _before(chunk: Chunk, footers: list[FooterRecord]) -> Chunk:
    """Return the chunk with only the records before the footers, and those that were in it."""
    end = footers[0].line
    mine = {*chunk.lines[chunk.lines >= end].tolist()}
    mine |= {record.line for record in chunk.malformed}
    kept = keep(chunk, np.asarray(chunk.lines < end))
    kept.malformed = [record for record in chunk.malformed if record.line < end]
    kept.footers = [footer for footer in footers if footer.line in mine]
    return kept
