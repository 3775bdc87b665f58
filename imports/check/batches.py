"""Issues of one chunk, gathered by cause: a batch for each column and way to fail. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imports.issues import Code, Issue, Severity

_PLACEHOLDER = re.compile(r"\{found\}|\{other\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueBatch:
    """All cells of one column that fail in one way.

    column: the header as the file spells it. lines, found, others: one each for a failing row, at
    most 200 characters of a cell. message: a template in which `{found}` and `{other}` stand for
    the row's cell and for the cell that it was compared with.
    """

    code: Code
    column: str
    severity: Severity
    message: str
    lines: tuple[int, ...]
    found: tuple[str, ...]
    others: tuple[str, ...]

    def issues(self) -> Iterator[Issue]:
        """One issue for each failing row, in the order of the lines."""
        for line, found, other in zip(self.lines, self.found, self.others, strict=True):
            yield Issue(
                code=self.code,
                message=self._filled({"{found}": found, "{other}": other}),
                line=line,
                column=self.column,
                found=found,
                severity=self.severity,
            )

    def _filled(self, words: dict[str, str]) -> str:
        """In one pass: a cell that holds a placeholder is a cell, not a template."""
        return _PLACEHOLDER.sub(lambda place: words[place.group()], self.message)
