"""Rejected records: spooled to a file in order of line, merged with later ones. Pure."""

from __future__ import annotations

import heapq
import json
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

from imports.issues import Code, Issue, Severity
from imports.scan.scanner import MalformedRecord

_HEAD = struct.Struct("<QII")  # line, bytes of the record, bytes of its issues


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected record. line: physical line of its start. raw: the record without line end."""

    line: int
    raw: bytes
    issues: tuple[Issue, ...]


def reject_of(record: MalformedRecord, header: Sequence[str] = ()) -> Reject:
    """A malformed record as a reject with one issue. header: the columns' names."""
    column = header[record.cell - 1] if 0 < record.cell <= len(header) else None
    issue = Issue(record.code, record.message, record.line, column or None, record.value)
    return Reject(record.line, record.raw, (issue,))


class RejectSpool:
    """Rejects in a nameless temporary file: add in order of line, then iterate any number of times.

    Use as a context manager; the file is gone afterwards. directory: where it is.
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

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def _as_list(issue: Issue) -> list[str | int | None]:
    return [issue.code, issue.message, issue.line, issue.column, issue.value, issue.severity]


def _from_list(values: list[str]) -> Issue:
    code, message, line, column, value, severity = values
    number = None if line is None else int(line)
    return Issue(Code(code), message, number, column, value, Severity(severity))


def merge(first: Iterable[Reject], second: Iterable[Reject]) -> Iterator[Reject]:
    """Merge two ordered series of rejects; the issues of a line that is in both are joined."""
    ordered = heapq.merge(first, second, key=lambda reject: reject.line)
    for line, same in groupby(ordered, key=lambda reject: reject.line):
        rejects = list(same)
        issues = tuple(issue for reject in rejects for issue in reject.issues)
        yield Reject(line, rejects[0].raw, issues)
