"""The issues of a file, grouped by cause, with a few examples of each: memory is bounded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from imports.issues import SHOWN_CHARACTERS, Code, Issue, Severity

EXAMPLES = 5

_MOST_GROUPS = 2_000

# So many different messages of one code are causes of their own.
_MOST_MESSAGES = 20
_OWN_MESSAGES = frozenset({Code.NOT_JSON})

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
    """Counts issues by severity, code and column, and by message where a code has several.

    Beyond 2,000 groups (a file may have 1,000 columns) further columns of a code share one group
    without a column.
    """

    def __init__(self) -> None:
        self._groups: dict[_Key, IssueTally] = {}

    def add(self, issue: Issue) -> None:
        """Count one issue."""
        group = self._group(issue.code, issue.column, issue.severity, issue.message)
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
    ) -> None:
        """Count one issue a line. values: the offending ones of at least the first five lines."""
        if not len(lines):
            return
        group = self._group(code, column, severity, message)
        group.count += len(lines)
        missing = EXAMPLES - len(group.examples)
        for line, value in zip(lines[:missing], values[:missing], strict=False):
            group.examples.append((int(line), value[:SHOWN_CHARACTERS]))

    def groups(self) -> list[IssueTally]:
        """The groups, largest first."""
        return sorted(
            self._groups.values(), key=lambda g: (-g.count, g.severity, g.code, g.column or "")
        )

    def _own_message(self, code: Code, message: str) -> str:
        """The message where each of a code's messages is a cause of its own; up to some of them."""
        if code not in _OWN_MESSAGES:
            return ""
        known = {key[3] for key in self._groups if key[1] == code}
        return message if message in known or len(known) < _MOST_MESSAGES else ""

    def _group(
        self, code: Code, column: str | None, severity: Severity, message: str
    ) -> IssueTally:
        key: _Key = (severity, code, column, self._own_message(code, message))
        if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
            key = (severity, code, None, "")
        return self._groups.setdefault(key, IssueTally(severity, code, key[2], message))


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


def no_rows() -> Issue:
    """The warning of a file without rows."""
    message = "The file has a header but no rows; nothing was changed."
    return Issue(Code.NO_ROWS, message, severity=Severity.WARNING)
