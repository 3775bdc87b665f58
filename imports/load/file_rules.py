"""The rules that need the whole file, and the plan that remains after them.

Runs the pure cross-checks, then the ones against the store, takes the wrong rows out of staging,
and counts what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from imports.check import across_rows
from imports.check.across_rows import RejectedRows
from imports.issues import Code, Issue, Severity
from imports.load import plan, spans, stored
from imports.load.measured import Plan
from imports.load.plan import Absent
from imports.load.reading import FileReading
from imports.load.staging import StagingTable
from imports.load.stored import Target
from imports.report.summary import EXAMPLES
from portal.records.definitions import Feed, Operation, RecordType, Rule

Ints = npt.NDArray[np.int64]
_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class FileRejects:
    """Rows that rules across the file reject, by cause.

    tolerated: rows of an add-only feed that repeat a key, which is no fault there.
    """

    batches: list[RejectedRows] = field(default_factory=list)
    tolerated: int = 0

    def add(self, batch: RejectedRows) -> None:
        self.batches.append(batch)

    @property
    def lines(self) -> Ints:
        """All rejected lines, sorted, each once."""
        return np.unique(np.concatenate([b.lines for b in self.batches])) if self.batches else _NONE

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
class _Context:
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


def check(
    feed: Feed,
    record_type: RecordType,
    target: Target,
    reading: FileReading,
    stage: StagingTable,
    headers: Mapping[str, str],
) -> FileRejects:
    """Find what is wrong across rows and against the store; staging then holds good rows only.

    headers: field name to the header as the file spells it.
    """
    context = _Context(feed, record_type, target, reading, stage, headers, FileRejects())
    duplicates = _duplicates(context)
    stage.analyze()
    plan.match(stage, target, reading.staged, duplicates)
    _duplicates_of_skipped(context)
    if _needs_record(feed):
        _without_record(context)
    _between_rows(context, duplicates)
    for batch in context.rejects.batches:
        _summarise(reading, batch)
    return context.rejects


def planned(
    target: Target,
    reading: FileReading,
    stage: StagingTable,
    rejects: FileRejects,
    absent: Absent | None,
) -> Plan:
    """The plan in numbers. Raises AssertionError where a row is unaccounted for (rule 6).

    absent: which records a mirror removes because its file does not name them; None for other
    files.
    """
    counts = plan.count(stage, target, reading.staged, absent)
    rejected_lines, records = rejects.lines, reading.stored.records
    skipped_wrong = reading.stored.seen_on(rejected_lines)
    unchanged = counts.same + reading.stored.skipped - skipped_wrong + rejects.tolerated
    rejected = reading.rejected + int(rejected_lines.size)
    total = counts.created + counts.updated + counts.removed + unchanged + rejected
    if total != reading.seen:
        raise AssertionError(f"{reading.seen} rows were seen, {total} are accounted for.")
    return Plan(
        read=reading.seen,
        created=counts.created,
        updated=counts.updated,
        unchanged=unchanged,
        removed=counts.removed + counts.absent,
        rejected=rejected,
        stored=plan.count_stored(target) if records is None else records,
        absent=counts.absent,
    )


def _duplicates(context: _Context) -> Ints:
    """Lines whose key occurred before; they are not used, and are no fault in an add-only feed."""
    duplicates = across_rows.duplicates(context.reading.gathered, context.key)
    if duplicates is None:
        return _NONE
    if context.feed.operation == Operation.ADD_ONLY:
        context.rejects.tolerated += duplicates.lines.size
    else:
        context.rejects.add(duplicates)
    return duplicates.lines


def _duplicates_of_skipped(context: _Context) -> None:
    """Reject the later of two rows with one key, one of which is stored already as it is."""
    staged, skipped = plan.duplicates_of_skipped(context.stage, context.reading.stored)
    if not staged.size:
        return
    context.unstage(staged[staged > skipped])
    if context.feed.operation == Operation.ADD_ONLY:
        context.rejects.tolerated += int((staged > skipped).sum())
        return
    message = (
        f"The same {' and '.join(context.key)} is already on line {{other}}. Keep "
        "one of the two rows; the first one was used."
    )
    later, earlier = np.maximum(staged, skipped), np.minimum(staged, skipped)
    context.reject(RejectedRows(Code.DUPLICATE_KEY, context.key[0], message, later, earlier))


def _needs_record(feed: Feed) -> bool:
    """Whether rows of the feed may change or remove records, which must exist then."""
    named = feed.row_operation.values.values() if feed.row_operation else ()
    return bool({feed.operation, *named} & {Operation.REMOVE, Operation.UPDATE_ONLY})


def _without_record(context: _Context) -> None:
    missing = plan.without_record(context.stage)
    message = (
        f"{context.record_type.label}: no record has this "
        f"{' and '.join(context.key)}, so there is nothing to change or remove. "
        "Correct the value, or remove the row."
    )
    context.reject(RejectedRows(Code.UNKNOWN_KEY, context.key[0], message, missing, missing))


def _between_rows(context: _Context, duplicates: Ints) -> None:
    """Apply rules between rows until no further row is rejected: one may take others with it."""
    gathered, record_type = context.reading.gathered, context.record_type
    if not gathered.own and not gathered.only:
        return
    keys = stored.references_to(context.target.tenant_id, record_type)
    rejected = -1
    while rejected != context.rejects.lines.size:
        rejected = context.rejects.lines.size
        for rule in record_type.rules:
            if rule.kind == "only_one":
                gone = np.union1d(duplicates, context.rejects.lines)
                context.reject(_only_one(rule, context, gone))
            if rule.kind == "tree" and rule.field in gathered.own:
                parents = stored.parents(context.target, record_type, rule.field)
                gone = np.union1d(duplicates, context.rejects.lines)
                context.reject(across_rows.cycles(gathered, rule.field, parents, gone))
            if rule.kind == "within_parent" and rule.field in gathered.own:
                _within_parents(context, rule)
        for column in gathered.own:
            gone = np.union1d(duplicates, context.rejects.lines)
            label = record_type.label
            context.reject(across_rows.unknown_own(gathered, column, label, keys, gone))


def _within_parents(context: _Context, rule: Rule) -> None:
    """Reject the rows outside the dates of the record that they name, in the file or the store."""
    rows, parents = spans.spans(context.stage, context.target, context.record_type, rule)
    header = context.headers.get(rule.field, rule.field)
    for batch in across_rows.outside_parents(rows, parents, header, rule.values):
        context.reject(batch)


def _only_one(rule: Rule, context: _Context, gone: Ints) -> RejectedRows | None:
    value = rule.values[0]
    if not any(part.size for part in context.reading.gathered.only.get(rule.field, [])):
        return None
    taken = plan.held_by_another(context.stage, context.target, rule.field, value)
    return across_rows.more_than_one(context.reading.gathered, rule.field, value, taken, gone)


def _summarise(reading: FileReading, batch: RejectedRows) -> None:
    reading.summary.add_many(
        batch.code, batch.column, Severity.ERROR, batch.sentence(0), batch.lines, [""] * EXAMPLES
    )
