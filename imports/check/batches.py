"""Issues of one chunk by cause: one batch for each column and way to fail. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imports.issues import Code, Issue, Severity

_PLACEHOLDER = re.compile(r"\{value\}|\{other\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueBatch:
    """All cells of one column that fail in one way.

    column: the header as the file spells it. lines, values, others: one each for a failing row, at
    most SHOWN_CHARACTERS of a cell. message: a template in which `{value}` and `{other}` stand for
    the row's cell and for the cell that it was compared with.
    """

    code: Code
    column: str
    severity: Severity
    message: str
    lines: tuple[int, ...]
    values: tuple[str, ...]
    others: tuple[str, ...]

    def issues(self) -> Iterator[Issue]:
        """One issue for each failing row, in the order of the lines."""
        for line, value, other in zip(self.lines, self.values, self.others, strict=True):
            yield Issue(
                code=self.code,
                message=self._filled({"{value}": value, "{other}": other}),
                line=line,
                column=self.column,
                value=value,
                severity=self.severity,
            )

    def _filled(self, cells: dict[str, str]) -> str:
        """Fill in the message in one pass: a placeholder inside a cell is not replaced."""
        return _PLACEHOLDER.sub(lambda placeholder: cells[placeholder.group()], self.message)
