"""The issues of a file, grouped by cause, with a few examples of each: memory is bounded. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from imports.issues import SHOWN_CHARACTERS, Code, Issue, Severity
from imports.scan.chunks import Chunk
from imports.scan.encoding import unlikely

EXAMPLES = 5

_MOST_GROUPS = 2_000

# So many different messages of one code and column are causes of their own.
_MOST_MESSAGES = 20
_WHOLE_MESSAGES = frozenset({Code.NOT_JSON})
# What differs between two rows that are wrong for the same cause: values, numbers, bytes.
_PARTICULARS = re.compile(r'"[^"]*"|\S*\d\S*|\b[A-F]{2}\b')

_Key = tuple[Severity, Code, str | None, str]


@dataclass(slots=True)
class IssueTally:
    """Issues of one cause. message: of the first. examples: at most 5 pairs of line and value."""

    severity: Severity
    code: Code
    column: str | None
    message: str
    count: int = 0
    examples: list[tuple[int | None, str]] = field(default_factory=list)


class Summary:
    """Counts issues by severity, code, column and cause: the message without its values.

    A code may have several causes, each with a cure of its own. Beyond 20 of a code and column
    they share one group; beyond 2,000 groups (a file may have 1,000 columns) further columns of a
    code share one without a column.
    """

    def __init__(self) -> None:
        self._groups: dict[_Key, IssueTally] = {}
        self._causes: Counter[tuple[Severity, Code, str | None]] = Counter()

    def add(self, issue: Issue) -> None:
        """Count one issue."""
        cause = issue.message.replace(f'"{issue.value}"', "")
        group = self._group(issue.code, issue.column, issue.severity, issue.message, cause)
        group.count += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append((issue.line, issue.value[:SHOWN_CHARACTERS]))

    def add_many(
        self,
        code: Code,
        column: str | None,
        severity: Severity,
        message: str,
        lines: Sequence[int] | npt.NDArray[np.int64],
        values: Sequence[str],
        cause: str = "",
    ) -> None:
        """Count one issue a line. values: the offending ones of at least the first five lines.

        message: of the first line. cause: what it has in common with the others; the message
        without its values where this is blank.
        """
        if not len(lines):
            return
        group = self._group(code, column, severity, message, cause or message)
        group.count += len(lines)
        missing = EXAMPLES - len(group.examples)
        for line, value in zip(lines[:missing], values[:missing], strict=False):
            group.examples.append((int(line), value[:SHOWN_CHARACTERS]))

    def add_tally(self, tally: IssueTally) -> None:
        """Take over an issue that was counted elsewhere."""
        self._groups[tally.severity, tally.code, tally.column, ""] = tally

    def groups(self) -> list[IssueTally]:
        """The groups, largest first."""
        return sorted(
            self._groups.values(), key=lambda g: (-g.count, g.severity, g.code, g.column or "")
        )

    def _group(
        self, code: Code, column: str | None, severity: Severity, message: str, cause: str
    ) -> IssueTally:
        common = message if code in _WHOLE_MESSAGES else _PARTICULARS.sub("", cause)
        key: _Key = (severity, code, column, common)
        if key not in self._groups:
            if self._causes[key[:3]] >= _MOST_MESSAGES:
                key = (severity, code, column, "")
            if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
                key = (severity, code, None, "")
        if key not in self._groups:
            self._causes[key[:3]] += 1
            self._groups[key] = IssueTally(severity, code, key[2], message)
        return self._groups[key]


_MOST_UNKNOWN = 5  # more unknown columns than these are reported as one cause


def warn(summary: Summary, warnings: Sequence[Issue]) -> None:
    """Add the header's warnings; many unknown columns are one cause, not hundreds."""
    unknown = [w for w in warnings if w.code == Code.UNKNOWN_COLUMN]
    if len(unknown) > _MOST_UNKNOWN:
        message = f"{len(unknown)} columns of the file are unknown and were ignored."
        names = [issue.column or "" for issue in unknown]
        summary.add_many(
            Code.UNKNOWN_COLUMN, None, Severity.WARNING, message, [1] * len(names), names
        )
        warnings = [w for w in warnings if w.code != Code.UNKNOWN_COLUMN]
    for warning in warnings:
        summary.add(warning)


def left_out(chunk: Chunk, summary: Summary) -> int:
    """Add what the scanner left out, since it is no row: a warning a line. Returns their number."""
    blank = chunk.blank
    if blank.size:
        message = "These rows have no value in any cell, or only draw a line; they were left out."
        summary.add_many(Code.BLANK_ROWS, None, Severity.WARNING, message, blank, [""] * EXAMPLES)
    if chunk.repeated.size:
        message = "These rows are the header once more; they were left out."
        lines, nothing = chunk.repeated, [""] * EXAMPLES
        summary.add_many(Code.REPEATED_HEADER, None, Severity.WARNING, message, lines, nothing)
    if chunk.footers:
        texts = "; ".join(f'line {each.line:,}: "{each.text}"' for each in chunk.footers)
        message = f"Left out at the file's end, since it is a footer and no row: {texts}."
        ends = [each.line for each in chunk.footers]
        values = [each.text for each in chunk.footers]
        summary.add_many(Code.FOOTER, None, Severity.WARNING, message, ends, values)
    return int(blank.size + chunk.repeated.size) + len(chunk.footers)


def inner_quotes(chunk: Chunk, summary: Summary) -> int:
    """Add a warning for each record whose quotes were mended. Returns their number."""
    message = (
        "The quotation marks of this row are not as they should be: one within a value is not"
        " written twice, or they enclose the whole row. It was read as it is meant. Enclose each"
        " value that has a quotation mark or a delimiter, and write each mark within it twice."
    )
    lines, nothing = chunk.requoted, [""] * EXAMPLES
    summary.add_many(Code.INNER_QUOTES, None, Severity.WARNING, message, lines, nothing)
    return int(lines.size)


def unlikely_letters(chunk: Chunk, summary: Summary) -> int:
    """Add a warning for each record with letters that names do not have. Returns their number."""
    places = list(unlikely(chunk.data))
    if not places:
        return 0
    at = np.searchsorted(chunk.offsets, [offset for offset, _ in places], side="right") - 1
    records, first = np.unique(at, return_index=True)
    message = (
        "This row has letters that names do not have. Check the encoding of the file and, in a"
        " template, of its reading; or correct the value where it comes from."
    )
    values = [places[index][1] for index in first[:EXAMPLES].tolist()]
    lines = chunk.lines[records]
    summary.add_many(Code.UNLIKELY_LETTERS, None, Severity.WARNING, message, lines, values)
    return int(records.size)


def no_rows() -> Issue:
    """The warning of a file without rows."""
    message = "The file has a header but no rows; nothing was changed."
    return Issue(Code.NO_ROWS, message, severity=Severity.WARNING)
