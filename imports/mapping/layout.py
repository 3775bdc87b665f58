"""Which records of a file are its header, its rows, and neither of them. Pure.

A report often has titles and blank lines above its header and totals below its rows; an export
may have no header at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from imports.mapping.naming import parse, vocabulary

Row = Sequence[str]

_SEARCHED = 60  # records in which the header is looked for
_COMPARED = 40  # rows
_FIGURES = 10  # of a number that counts on
_SEPARATOR = re.compile(r"[-=_*~+. ]{3,}")
_KINDS = (
    ("date", re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?")),
    ("number", re.compile(r"[-+]?[\d.,']*\d[\d.,']*%?")),
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")),
    ("address", re.compile(r"(?i)(?:https?://|www\.)\S+")),
    ("flag", re.compile(r"(?i)true|false|yes|no|[yntfjx]")),
    ("code", re.compile(r"(?=.*\d)[A-Za-z0-9_.:/#-]+")),
)


@dataclass(frozen=True, slots=True)
class SampleLayout:
    """Where the header and the rows begin.

    first: index of the header, or of the first row where there is none. width: cells of a row.
    sure: 0 to 1.
    """

    first: int
    header: bool
    width: int
    sure: float


def lay_out(rows: Sequence[Row]) -> SampleLayout:
    """The layout of a file's first records. There is at least one record."""
    width = usual_width(rows)
    first = _first(rows, width)
    below = [row for row in rows[first + 1 :] if len(row) == width and _filled(row)][:_COMPARED]
    votes = _header_votes(rows[first], below)
    sure = 0.95 if abs(votes) >= max(1.5, width / 3) else 0.75 if abs(votes) >= 1 else 0.6
    return SampleLayout(first, votes >= 0, width, sure)


def usual_width(rows: Sequence[Row]) -> int:
    """The number of cells that most records have; the larger of two that are as frequent."""
    counts = Counter(len(row) for row in rows)
    several = Counter({width: count for width, count in counts.items() if width > 1})
    if several and several.total() * 2 >= counts[1]:
        counts = several
    return max(counts, key=lambda width: (counts[width], width))


def kind_of(cell: str) -> str:
    """What a cell looks like: blank, date, number, email, address (web), flag, code or text."""
    cell = cell.strip()
    if not cell:
        return "blank"
    return next((name for name, pattern in _KINDS if pattern.fullmatch(cell)), "text")


def names_a_column(cell: str) -> bool:
    """Whether a cell consists of words that occur in headers."""
    words = [word for word in parse(cell).words if len(word) > 1]
    return bool(words) and sum(map(vocabulary().knows, words)) * 2 >= len(words) and len(words) <= 6


def _first(rows: Sequence[Row], width: int) -> int:
    """The first record that is as wide as the rows are, and filled as a header is."""
    usual = _usual_filled([row for row in rows if len(row) == width])
    for at, row in enumerate(rows[:_SEARCHED]):
        wide = len(row) == width or (len(row) == width - 1 and _like_header(row))
        if (
            wide
            and not _is_title(row, rows[at + 1 : at + 2])
            and _filled(row) * 2 > usual
            and not _ruler(row)
            and not _parameter(row, usual)
        ):
            return at
    return next((at for at, row in enumerate(rows) if len(row) == width), 0)


def _is_title(row: Row, following: Sequence[Row]) -> bool:
    """Whether a record has only its first value, and the next one, as wide, has several."""
    alone = _filled(row) == 1 and bool(row[0].strip())
    return alone and any(len(each) == len(row) and _filled(each) > 2 for each in following)


def _parameter(row: Row, usual: int) -> bool:
    """Whether a record is one setting of a report: a name with a colon and a value or two."""
    return row[0].rstrip().endswith(":") and _filled(row) < max(usual, 3)


def _like_header(row: Row) -> bool:
    return sum(map(names_a_column, row)) * 2 > len(row)


def _ruler(row: Row) -> bool:
    return all(_SEPARATOR.fullmatch(cell) for cell in row if cell.strip())


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _usual_filled(rows: Sequence[Row]) -> int:
    counts = sorted(map(_filled, rows))
    return counts[len(counts) // 2] if counts else 0


def _header_votes(head: Row, below: Sequence[Row]) -> float:
    """More than 0: the record is a header; less: it is a row; 0: it may be either."""
    filled = [cell.strip() for cell in head if cell.strip()]
    votes = sum(1.5 * names_a_column(cell) for cell in filled)
    if len({cell.lower() for cell in filled}) < len(filled):
        votes -= 0.5
    counted = _counted(head) if not any(map(_counted, below)) else set()
    for at, cell in enumerate(head):
        if at not in counted:
            votes += _vote(cell.strip(), [row[at].strip() for row in below if at < len(row)])
    return votes


def _counted(row: Row) -> set[int]:
    """Columns whose values count on by one, at least three of them: weeks, or years."""
    cells = [cell.strip() for cell in row]
    figures = [int(cell) if cell.isdecimal() and len(cell) < _FIGURES else None for cell in cells]
    triples = zip(figures, figures[1:], figures[2:], strict=False)
    runs = [
        at
        for at, (low, middle, high) in enumerate(triples)
        if low is not None and (middle, high) == (low + 1, low + 2)
    ]
    return {at + step for at in runs for step in range(3)}


def _vote(cell: str, column: Sequence[str]) -> float:
    kind, below = kind_of(cell), _column_kind(column)
    if kind in ("date", "email", "address"):
        return -3.0
    if kind == "number":
        return -2.0 if below in ("number", None) else -1.0
    if kind in ("blank", "flag"):
        return -0.3
    if below in ("date", "number", "email", "address", "flag"):
        return 1.0
    if cell in column:
        return -1.5
    if kind == "code":
        return -1.5 if below == "code" and _mask(cell) in map(_mask, column) else 0.0
    return 0.5 if below == "code" else 0.0


def _column_kind(column: Sequence[str]) -> str | None:
    """What most filled cells of a column look like; None where they differ."""
    kinds = Counter(kind for kind in map(kind_of, column) if kind != "blank")
    if not kinds:
        return None
    kind, count = kinds.most_common(1)[0]
    return kind if count * 10 >= kinds.total() * 8 else None


def _mask(cell: str) -> str:
    return re.sub(r"[A-Za-z]", "A", re.sub(r"\d", "9", cell))
