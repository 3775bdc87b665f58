"""What is found wrong only when the whole file is known, and the plan that remains.

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
from imports.load import plan, spans
from imports.load import stored as known
from imports.load.limits import Plan
from imports.load.plan import Absent
from imports.load.reading import Reading
from imports.load.staging import StagingTable
from imports.load.stored import Target
from imports.report.summary import EXAMPLES
from portal.records.definitions import Feed, Operation, RecordType, Rule

Ints = npt.NDArray[np.int64]
_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class Late:
    """Rows rejected late, by cause. tolerated: doubled rows of an additive feed, no fault."""

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

    def __init__(self, late: Late) -> None:
        self._lines = late.lines
        self._batches = [(batch, np.argsort(batch.lines)) for batch in late.batches]

    def __len__(self) -> int:
        return int(self._lines.size)

    def __iter__(self) -> Iterator[int]:
        return iter(self._lines.tolist())

    def __getitem__(self, line: int) -> list[Issue]:
        found = [
            Issue(batch.code, batch.sentence(position), line, batch.column)
            for batch, order in self._batches
            if (position := _position(batch.lines, order, line)) is not None
        ]
        if not found:
            raise KeyError(line)
        return found


def _position(lines: Ints, order: Ints, line: int) -> int | None:
    at = int(np.searchsorted(lines, line, sorter=order))
    if at < lines.size and lines[order[at]] == line:
        return int(order[at])
    return None


@dataclass(frozen=True, slots=True)
class _Work:
    """What the checks share. headers: field name to the header as the file spells it."""

    feed: Feed
    record_type: RecordType
    target: Target
    reading: Reading
    stage: StagingTable
    headers: Mapping[str, str]
    found: Late

    @property
    def key(self) -> list[str]:
        """The key's headers."""
        return [self.headers[name] for name in self.record_type.key]

    def reject(self, batch: RejectedRows | None) -> None:
        """Note the rows of a batch, and take them out of what is staged and matched."""
        if batch is None or not batch.lines.size:
            return
        column = self.headers.get(batch.column or "", batch.column)
        self.found.add(replace(batch, column=column))
        self.forget(batch.lines)

    def forget(self, lines: Ints) -> None:
        """Take out those of the lines that are staged; others are rows that the store has."""
        plan.forget(self.stage, np.unique(lines[self.reading.gathered.has(lines)]))


def check(
    feed: Feed,
    record_type: RecordType,
    target: Target,
    reading: Reading,
    stage: StagingTable,
    headers: Mapping[str, str],
) -> Late:
    """Find what is wrong across rows and against the store; staging then holds good rows only.

    headers: field name to the header as the file spells it.
    """
    work = _Work(feed, record_type, target, reading, stage, headers, Late())
    doubled = _doubled(work)
    stage.analyze()
    plan.match(stage, target, reading.staged, doubled)
    _doubled_by_skipped(work)
    if _needs_record(feed):
        _without_record(work)
    _between_rows(work, doubled)
    for batch in work.found.batches:
        _summarise(reading, batch)
    return work.found


def planned(
    target: Target, reading: Reading, stage: StagingTable, found: Late, absent: Absent | None
) -> Plan:
    """The plan in numbers. Raises AssertionError where a row is unaccounted for (rule 6).

    absent: how a mirror tells what its file does not name; None for other files.
    """
    counts = plan.count(stage, target, reading.staged, absent)
    late_lines = found.lines
    skipped_wrong = reading.known.seen_on(late_lines)
    unchanged = counts.same + reading.known.skipped - skipped_wrong + found.tolerated
    rejected = reading.rejected + int(late_lines.size)
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
        stored=plan.stored(target) if reading.known.records is None else reading.known.records,
        absent=counts.absent,
    )


def _doubled(work: _Work) -> Ints:
    """Lines whose key stood before; they are not used, and are no fault in an additive feed."""
    doubled = across_rows.duplicates(work.reading.gathered, work.key)
    if doubled is None:
        return _NONE
    if work.feed.operation == Operation.ADD_ONLY:
        work.found.tolerated += doubled.lines.size
    else:
        work.found.add(doubled)
    return doubled.lines


def _doubled_by_skipped(work: _Work) -> None:
    """A key that stands twice in the file, one of them as the store has it: the later one goes."""
    staged, skipped = plan.doubled_by_skipped(work.stage, work.reading.known)
    if not staged.size:
        return
    work.forget(staged[staged > skipped])
    if work.feed.operation == Operation.ADD_ONLY:
        work.found.tolerated += int((staged > skipped).sum())
        return
    message = (
        f"The same {' and '.join(work.key)} stands on line {{other}} already. "
        "Keep one of the two rows; the first one was taken."
    )
    late_lines, early = np.maximum(staged, skipped), np.minimum(staged, skipped)
    work.reject(RejectedRows(Code.DUPLICATE_KEY, work.key[0], message, late_lines, early))


def _needs_record(feed: Feed) -> bool:
    """Whether rows of the feed may want to change or remove what must be there."""
    named = feed.row_operation.values.values() if feed.row_operation else ()
    return bool({feed.operation, *named} & {Operation.REMOVE, Operation.UPDATE_ONLY})


def _without_record(work: _Work) -> None:
    missing = plan.without_record(work.stage)
    message = (
        f"{work.record_type.label}: no record has this {' and '.join(work.key)}, so there is "
        "nothing to change or remove. Correct the value, or leave the row out."
    )
    work.reject(RejectedRows(Code.UNKNOWN_KEY, work.key[0], message, missing, missing))


def _between_rows(work: _Work, doubled: Ints) -> None:
    """Rules that hold between rows, until no further row falls: one may take others with it."""
    gathered, record_type = work.reading.gathered, work.record_type
    if not gathered.own and not gathered.only:
        return
    stored = known.references_to(work.target.tenant_id, record_type)
    fallen = -1
    while fallen != work.found.lines.size:
        fallen = work.found.lines.size
        for rule in record_type.rules:
            if rule.kind == "only_one":
                work.reject(_only_one(rule, work, np.union1d(doubled, work.found.lines)))
            if rule.kind == "tree" and rule.field in gathered.own:
                parents = known.parents(work.target, record_type, rule.field)
                gone = np.union1d(doubled, work.found.lines)
                work.reject(across_rows.cycles(gathered, rule.field, parents, gone))
            if rule.kind == "within_parent" and rule.field in gathered.own:
                _within_parents(work, rule)
        for column in gathered.own:
            gone = np.union1d(doubled, work.found.lines)
            label = record_type.label
            work.reject(across_rows.unknown_own(gathered, column, label, stored, gone))


def _within_parents(work: _Work, rule: Rule) -> None:
    """Reject the rows outside the dates of the record that they name, in the file or the store."""
    rows, parents = spans.spans(work.stage, work.target, work.record_type, rule)
    batches = across_rows.outside_parents(
        rows, parents, work.headers.get(rule.field, rule.field), rule.values
    )
    for batch in batches:
        work.reject(batch)


def _only_one(rule: Rule, work: _Work, gone: Ints) -> RejectedRows | None:
    value = rule.values[0]
    if not any(part.size for part in work.reading.gathered.only.get(rule.field, [])):
        return None
    taken = plan.held_by_another(work.stage, work.target, rule.field, value)
    return across_rows.more_than_one(work.reading.gathered, rule.field, value, taken, gone)


def _summarise(reading: Reading, batch: RejectedRows) -> None:
    reading.summary.add_many(
        batch.code, batch.column, Severity.ERROR, batch.sentence(0), batch.lines, [""] * EXAMPLES
    )
