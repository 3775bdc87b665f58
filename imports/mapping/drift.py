"""A file that no longer looks as its template expects: where its header is after all. Pure.

Senders change a delimiter, or put a title above the header or take it away. Where the columns are
all there, the file is read and its sender warned; where not, the refusal says what was looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import BinaryIO

from imports.check.columns import fold, short
from imports.issues import Code, FileRefused, Issue, Severity
from imports.scan import cells
from imports.scan.decoding import CleanStream
from imports.scan.dialect import DELIMITERS, Dialect
from imports.scan.scanner import Header
from imports.scan.wrapping import are_wrapped

NAMES = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    "|": "bars",
    " ": "spaces",
    ":": "colons",
}

_HEAD = 64 << 10  # bytes
_SEARCHED = 60  # lines
_TRIED = 3
_SHOWN = 8  # names, and lines above the header
_LAYOUT = {
    Code.MISSING_COLUMN,
    Code.UNREADABLE_HEADER,
    Code.DUPLICATE_COLUMN,
    Code.TOO_MANY_COLUMNS,
    Code.EMPTY_FILE,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that may be the header. number: from 1. matches: how many of the names it has."""

    number: int
    delimiter: str
    matches: int
    quote: str


def is_layout(refusal: FileRefused) -> bool:
    """Whether the file was refused for what its header is, or seems to be."""
    return {issue.code for issue in refusal.issues} <= _LAYOUT


def other_dialects(
    file: BinaryIO, dialect: Dialect, names: Collection[str]
) -> Iterator[tuple[Dialect, list[Issue]]]:
    """Other ways to read the file, under which a line has some of the names; with the warnings.

    dialect: the one that failed. The likeliest come first.
    """
    if not dialect.header_row:
        for delimiter in DELIMITERS:
            line = _Line(dialect.skip_rows + 1, delimiter, 0, dialect.quote)
            if delimiter != dialect.delimiter:
                wrapped = [warn_of_wrapped_lines(line.number)] if dialect.wrapped else []
                warnings = [*wrapped, _other_delimiter(dialect, line)]
                yield replace(dialect, delimiter=delimiter), warnings
        return
    lines = _lines(file, dialect)
    if not dialect.wrapped and are_wrapped(lines[:-1] or lines, dialect.quote):
        dialect = replace(dialect, wrapped=True)
        lines = _lines(file, dialect)
    folded = {fold(name) for name in names}
    candidates = sorted(_candidates(lines, dialect, folded), key=lambda line: -line.matches)
    for line in candidates[:_TRIED]:
        above = lines[: line.number - 1]
        other = replace(dialect, delimiter=line.delimiter, quote=line.quote)
        yield (
            replace(other, skip_rows=line.number - 1, header_row=1),
            list(_warnings(dialect, line, above)),
        )


def _lines(file: BinaryIO, dialect: Dialect) -> list[str]:
    stream = CleanStream(file, dialect)
    data = stream.read(_HEAD)
    return data.decode("utf-8", "replace").split("\n")[:_SEARCHED]


def _candidates(lines: Sequence[str], dialect: Dialect, folded: set[str]) -> Iterator[_Line]:
    signs = product(
        dict.fromkeys([dialect.delimiter, *DELIMITERS]), dict.fromkeys([dialect.quote, '"', "'"])
    )
    for (delimiter, quote), (number, line) in product(signs, enumerate(lines, start=1)):
        names = {fold(cell) for cell in cells.split(line, delimiter, quote)}
        matches = len(names & folded)
        if matches >= min(2, len(folded)) and _are_titles(lines[: number - 1], delimiter, names):
            yield _Line(number, delimiter, matches, quote)


def _are_titles(above: Sequence[str], delimiter: str, names: Collection[str]) -> bool:
    """Whether lines are no rows: they have clearly fewer values than there are columns."""
    filled = (sum(bool(cell.strip()) for cell in cells.split(line, delimiter)) for line in above)
    return all(count * 2 <= max(2, len(names)) for count in filled)


def warn_of_wrapped_lines(line: int) -> Issue:
    """The warning of a file whose lines stand in quotes as a whole. line: the header's."""
    return _warning(
        "Each whole line stands in quotation marks, so that a row is one value. They were taken"
        " off. Let the program that writes the file put them around values only.",
        line,
    )


def _warnings(dialect: Dialect, line: _Line, above: Sequence[str]) -> Iterator[Issue]:
    if dialect.wrapped:
        yield warn_of_wrapped_lines(line.number)
    if line.delimiter != dialect.delimiter:
        yield _other_delimiter(dialect, line)
    if line.quote != dialect.quote:
        yield _warning(
            f"Values are enclosed in {line.quote}. The file was read that way.", line.number
        )
    shown = [f'line {at}: "{short(text)}"' for at, text in enumerate(above, 1) if text.strip()]
    if shown or dialect.skip_rows or dialect.header_row > 1:
        left_out = f" Left out above it: {'; '.join(shown[:_SHOWN])}." if shown else ""
        yield _warning(
            f"The header is in line {line.number}, where it was not expected.{left_out}",
            line.number,
        )


def _other_delimiter(dialect: Dialect, line: _Line) -> Issue:
    actual, expected = (NAMES.get(d, f'"{d}"') for d in (line.delimiter, dialect.delimiter))
    return _warning(
        f"The columns are separated by {actual}, expected were {expected}. The file was read with"
        f" {actual}.",
        line.number,
    )


def _warning(message: str, line: int) -> Issue:
    return Issue(Code.OTHER_LAYOUT, message, line, severity=Severity.WARNING)


def explained(refusal: FileRefused, dialect: Dialect, header: Header) -> FileRefused:
    """The refusal with what was taken for the header."""
    names = [f'"{short(name)}"' for name in header.cells[:_SHOWN]]
    more = f" and {len(header.cells) - _SHOWN} more" if len(header.cells) > _SHOWN else ""
    separated = NAMES.get(dialect.delimiter, f'"{dialect.delimiter}"')
    looked_at = (
        f" Line {header.line} was taken as the header; separated by {separated} it has"
        f" {', '.join(names)}{more}."
    )
    first, *rest = refusal.issues
    issue = replace(first, message=first.message + looked_at, line=first.line or header.line)
    return refusal.with_issues(issue, *rest)
