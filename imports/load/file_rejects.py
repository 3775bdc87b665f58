"""What rules across a file have rejected so far, by cause, and what these rules share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from imports.check.across_rows import RejectedRows
from imports.issues import Issue, Severity
from imports.load import plan
from imports.load.reading import FileReading
from imports.load.staging import StagingTable
from imports.load.stored import Target
from imports.report.summary import EXAMPLES
from portal.records.definitions import Feed, RecordType

Ints = npt.NDArray[np.int64]
NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class FileRejects:
    """Rows that rules across the file reject, by cause.

    tolerated: rows that are not used and are no fault: of an add-only feed that repeat a key, or
    that a later row overrules. decisive: lines of the rows that overrule others.
    """

    batches: list[RejectedRows] = field(default_factory=list)
    tolerated: int = 0
    decisive: Ints = field(default_factory=lambda: NONE)

    def add(self, batch: RejectedRows) -> None:
        self.batches.append(batch)

    @property
    def lines(self) -> Ints:
        """All rejected lines, sorted, each once."""
        return np.unique(np.concatenate([b.lines for b in self.batches])) if self.batches else NONE

    def by_line(self) -> Mapping[int, Sequence[Issue]]:
        """The issues of each rejected line, made only when asked for: they may be millions."""
        return _ByLine(self)


class _ByLine(Mapping[int, Sequence[Issue]]):
    """A mapping over the sorted arrays of the batches."""

    def __init__(self, rejects: FileRejects) -> None:
        self._lines = rejects.lines
        self._batches = [(batch, np.argsort(batch.lines)) for batch in rejects.batches]

    def __len__(self) -> int:
        return int(self._lines.size)

    def __iter__(self) -> Iterator[int]:
        return iter(self._lines.tolist())

    def __getitem__(self, line: int) -> list[Issue]:
        issues = [
            Issue(batch.code, batch.sentence(position), line, batch.column)
            for batch, order in self._batches
            if (position := _position(batch.lines, order, line)) is not None
        ]
        if not issues:
            raise KeyError(line)
        return issues


def _position(lines: Ints, order: Ints, line: int) -> int | None:
    at = int(np.searchsorted(lines, line, sorter=order))
    if at < lines.size and lines[order[at]] == line:
        return int(order[at])
    return None


@dataclass(frozen=True, slots=True)
class RulesContext:
    """What the checks share. headers: field name to the header as the file spells it."""

    feed: Feed
    record_type: RecordType
    target: Target
    reading: FileReading
    stage: StagingTable
    headers: Mapping[str, str]
    rejects: FileRejects

    @property
    def key(self) -> list[str]:
        """The key's headers."""
        return [self.headers[name] for name in self.record_type.key]

    def reject(self, batch: RejectedRows | None) -> None:
        """Record the rows of a batch, and take them out of what is staged and matched."""
        if batch is None or not batch.lines.size:
            return
        column = self.headers.get(batch.column or "", batch.column)
        self.rejects.add(replace(batch, column=column))
        self.unstage(batch.lines)

    def unstage(self, lines: Ints) -> None:
        """Take out those of the lines that are staged; the others are rows that the store has."""
        plan.mark_wrong(self.stage, np.unique(lines[self.reading.gathered.has(lines)]))


def summarise(
    reading: FileReading, batch: RejectedRows, severity: Severity = Severity.ERROR
) -> None:
    reading.summary.add_many(
        batch.code, batch.column, severity, batch.sentence(0), batch.lines, [""] * EXAMPLES
    )
