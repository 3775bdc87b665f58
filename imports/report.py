"""What the sender gets back: issues grouped by cause, and the rejected rows as a CSV.

Memory is bounded: the summary keeps a few examples a group, rejects go through a spool file and
are merged with the late ones by line.
"""

from __future__ import annotations

import heapq
import json
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO

import numpy as np
import numpy.typing as npt

from imports.issues import Code, Issue, Severity
from imports.scan import cells
from imports.scan.scanner import Cut
from portal.people_csv import PeopleCsv

EXAMPLES = 5
REPORT_COLUMNS = ("_line", "_column", "_code", "_error")

_MOST_GROUPS = 2_000
_FOUND = 200  # characters of Issue.found
_HEAD = struct.Struct("<QII")  # line, bytes of the record, bytes of its issues

_Key = tuple[Severity, Code, str | None]


@dataclass(slots=True)
class IssueGroup:
    """Issues of one cause. message: the first one's. examples: at most 5 (line, found) pairs."""

    severity: Severity
    code: Code
    column: str | None
    message: str
    count: int = 0
    examples: list[tuple[int | None, str]] = field(default_factory=list)


class Summary:
    """Counts issues by severity, code and column.

    Beyond 2,000 groups (a file may have 1,000 columns) further columns of a code share one group
    without a column.
    """

    def __init__(self) -> None:
        self._groups: dict[_Key, IssueGroup] = {}

    def add(self, issue: Issue) -> None:
        """Count one issue."""
        group = self._group(issue.code, issue.column, issue.severity, issue.message)
        group.count += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append((issue.line, issue.found[:_FOUND]))

    def add_many(
        self,
        code: Code,
        column: str | None,
        severity: Severity,
        message: str,
        lines: Sequence[int] | npt.NDArray[np.int64],
        found: Sequence[str],
    ) -> None:
        """Count one issue a line. found: the offending values of at least the first five lines."""
        if not len(lines):
            return
        group = self._group(code, column, severity, message)
        group.count += len(lines)
        wanted = EXAMPLES - len(group.examples)
        for line, value in zip(lines[:wanted], found[:wanted], strict=False):
            group.examples.append((int(line), value[:_FOUND]))

    def groups(self) -> list[IssueGroup]:
        """The groups, largest first."""
        return sorted(
            self._groups.values(), key=lambda g: (-g.count, g.severity, g.code, g.column or "")
        )

    def _group(
        self, code: Code, column: str | None, severity: Severity, message: str
    ) -> IssueGroup:
        key: _Key = (severity, code, column)
        if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
            key = (severity, code, None)
        return self._groups.setdefault(key, IssueGroup(severity, code, key[2], message))


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected record. line: physical line of its start. raw: the record without line end."""

    line: int
    raw: bytes
    issues: tuple[Issue, ...]


def reject_of(cut: Cut) -> Reject:
    """A record that the scanner cut out, as a reject with one issue."""
    return Reject(cut.line, cut.raw, (Issue(cut.code, cut.message, cut.line, found=cut.found),))


class RejectSpool:
    """Rejects in a nameless temporary file: add in order of line, then iterate, as often as liked.

    Use as a context manager; the file is gone afterwards. directory: where it lies.
    """

    def __init__(self, directory: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  closed by __exit__
        self._count = 0
        self._last = 0

    def add(self, reject: Reject) -> None:
        """Append one. Raises ValueError if its line is before the last one's."""
        if reject.line < self._last:
            raise ValueError(f"reject of line {reject.line} after line {self._last}")
        issues = json.dumps([_as_list(issue) for issue in reject.issues]).encode()
        self._file.seek(0, 2)
        self._file.write(_HEAD.pack(reject.line, len(reject.raw), len(issues)))
        self._file.write(reject.raw)
        self._file.write(issues)
        self._last = reject.line
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Reject]:
        at = 0
        for _ in range(self._count):
            self._file.seek(at)
            line, raw_size, issues_size = _HEAD.unpack(self._file.read(_HEAD.size))
            raw = self._file.read(raw_size)
            issues = json.loads(self._file.read(issues_size))
            at += _HEAD.size + raw_size + issues_size
            yield Reject(line, raw, tuple(_from_list(values) for values in issues))

    def __enter__(self) -> RejectSpool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _as_list(issue: Issue) -> list[str | int | None]:
    return [issue.code, issue.message, issue.line, issue.column, issue.found, issue.severity]


def _from_list(values: list[str]) -> Issue:
    code, message, line, column, found, severity = values
    known_line = None if line is None else int(line)
    return Issue(Code(code), message, known_line, column, found, Severity(severity))


def merge(early: Iterable[Reject], late: Iterable[Reject]) -> Iterator[Reject]:
    """Two ordered series of rejects as one; of a line in both, the issues are joined."""
    ordered = heapq.merge(early, late, key=lambda reject: reject.line)
    for line, same in groupby(ordered, key=lambda reject: reject.line):
        rejects = list(same)
        issues = tuple(issue for reject in rejects for issue in reject.issues)
        yield Reject(line, rejects[0].raw, issues)


def write_attachment(
    target: BinaryIO,
    header: Sequence[str],
    delimiter: str,
    rejects: Iterable[Reject],
    quote: str = '"',
) -> int:
    """The error attachment: the original columns, then _line, _column, _code, _error.

    One row a record; several issues are parted by "; " and their messages by " | ". Columns of an
    earlier attachment in `header` are left out, so that a corrected attachment that fails again
    has them once. quote: of the records; the attachment itself always has double ones. Returns
    the number of rows.
    """
    shown = [at for at, name in enumerate(header) if name not in REPORT_COLUMNS]
    count = 0
    with PeopleCsv(target, delimiter) as out:
        out.row([*(header[at] for at in shown), *REPORT_COLUMNS])
        for count, reject in enumerate(rejects, start=1):  # noqa: B007
            values, remark = _fitted(reject.raw, delimiter, len(header), quote)
            out.row([*(values[at] for at in shown), *_told(reject, remark)])
    return count


def _fitted(raw: bytes, delimiter: str, columns: int, quote: str) -> tuple[list[str], str]:
    """The record's values, exactly as many as columns, and a remark if that moved any."""
    if not columns:
        return [], ""
    text = raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    values = cells.split(text, delimiter, quote)
    if len(values) <= columns:
        return values + [""] * (columns - len(values)), ""
    kept, surplus = values[: columns - 1], values[columns - 1 :]
    remark = f"The {len(surplus) - 1} surplus cells are at the end of the last column here."
    return [*kept, delimiter.join(surplus)], remark


def _told(reject: Reject, remark: str) -> list[str]:
    """The values of the report columns."""
    messages = dict.fromkeys(issue.message for issue in reject.issues)
    columns = dict.fromkeys(issue.column for issue in reject.issues if issue.column)
    codes = dict.fromkeys(str(issue.code) for issue in reject.issues)
    errors = [*messages, remark] if remark else list(messages)
    line = str(reject.line) if reject.line else ""  # an issue of the whole file has none
    return [line, "; ".join(columns), "; ".join(codes), " | ".join(errors)]


# Beyond as many, unknown columns are told as one cause.
_MOST_TOLD = 5


def warn(summary: Summary, warnings: Sequence[Issue]) -> None:
    """Tell of the header's warnings; many unknown columns are one cause, not hundreds."""
    unknown = [w for w in warnings if w.code == Code.UNKNOWN_COLUMN]
    if len(unknown) > _MOST_TOLD:
        message = f"{len(unknown)} columns of the file are unknown and were ignored."
        found = [issue.column or "" for issue in unknown]
        summary.add_many(
            Code.UNKNOWN_COLUMN, None, Severity.WARNING, message, [1] * len(found), found
        )
        warnings = [w for w in warnings if w.code != Code.UNKNOWN_COLUMN]
    for warning in warnings:
        summary.add(warning)


def no_rows() -> Issue:
    """The warning of a file without rows."""
    message = "The file has a header but no rows; nothing was changed."
    return Issue(Code.NO_ROWS, message, severity=Severity.WARNING)
