"""What is found wrong only when the whole file is known, and the plan that remains.

Runs the pure cross-checks, then the ones against the store, takes the wrong rows out of staging,
and counts what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from imports import crosscheck, known, plan
from imports.crosscheck import LateBatch
from imports.issues import Code, Issue, Severity
from imports.known import Target
from imports.limits import Plan
from imports.reading import Reading
from imports.staging import StagingTable
from portal.records.definitions import Feed, Operation, RecordType, Rule

Ints = npt.NDArray[np.int64]
_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class Late:
    """Rows rejected late, by cause. tolerated: doubled rows of an additive feed, no fault."""

    batches: list[LateBatch] = field(default_factory=list)
    tolerated: int = 0

    def add(self, batch: LateBatch | None) -> None:
        if batch is not None and batch.lines.size:
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


def check(
    feed: Feed, record_type: RecordType, target: Target, reading: Reading, stage: StagingTable
) -> Late:
    """Find what is wrong across rows and against the store; staging then holds good rows only."""
    found = Late()
    _in_the_file(feed, record_type, target, reading, stage, found)
    _against_the_store(feed, record_type, target, reading, stage, found)
    for batch in found.batches:
        _summarise(reading, batch)
    return found


def planned(
    target: Target, reading: Reading, stage: StagingTable, found: Late, *, mirror: bool
) -> Plan:
    """The plan in numbers. Raises AssertionError where a row is unaccounted for (rule 6)."""
    counts = plan.count(stage, mirror, target)
    late_lines = found.lines
    skipped_wrong = int(np.isin(reading.known.line, late_lines).sum()) if late_lines.size else 0
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
        stored=plan.stored(target),
    )


def _in_the_file(
    feed: Feed,
    record_type: RecordType,
    target: Target,
    reading: Reading,
    stage: StagingTable,
    found: Late,
) -> None:
    gathered = reading.gathered
    doubled = crosscheck.duplicates(gathered, record_type.key)
    if doubled is not None and feed.operation == Operation.ADD_ONLY:
        found.tolerated += doubled.lines.size
        stage.remove(doubled.lines.tolist())
    else:
        found.add(doubled)
    gone = doubled.lines if doubled is not None else _NONE
    for rule in record_type.rules:
        if rule.kind == "only_one":
            found.add(_only_one(rule, target, reading, stage, gone))
    for column in gathered.own:
        stored = known.references_to(target.tenant_id, record_type)
        rejected = np.union1d(gone, found.lines)
        found.add(crosscheck.unknown_own(gathered, column, record_type.label, stored, rejected))
    for rule in record_type.rules:
        if rule.kind == "tree" and rule.field in gathered.own:
            parents = known.parents(target, record_type, rule.field)
            rejected = np.union1d(gone, found.lines)
            found.add(crosscheck.cycles(gathered, rule.field, parents, rejected))
    stage.remove(found.lines.tolist())


def _only_one(
    rule: Rule, target: Target, reading: Reading, stage: StagingTable, gone: Ints
) -> LateBatch | None:
    value = rule.values[0]
    if not any(part.size for part in reading.gathered.only.get(rule.field, [])):
        return None
    taken = plan.held_by_another(stage, target, rule.field, value)
    return crosscheck.more_than_one(reading.gathered, rule.field, value, taken, gone)


def _against_the_store(
    feed: Feed,
    record_type: RecordType,
    target: Target,
    reading: Reading,
    stage: StagingTable,
    found: Late,
) -> None:
    stage.analyze()
    plan.match(stage, target, reading.staged)
    _doubled_by_skipped(feed, record_type, reading, stage, found)
    missing = plan.without_record(stage)
    if missing.size:
        named = " and ".join(record_type.key)
        message = (
            f"{record_type.label}: no record has this {named}, so there is nothing to change or "
            "remove. Correct the value, or leave the row out."
        )
        column = record_type.key[0]
        found.add(LateBatch(Code.UNKNOWN_KEY, column, message, missing, missing))
        plan.forget(stage, missing)


def _doubled_by_skipped(
    feed: Feed, record_type: RecordType, reading: Reading, stage: StagingTable, found: Late
) -> None:
    """A key that stands twice in the file, one of them as the store has it: the later one goes."""
    staged, skipped = plan.doubled_by_skipped(stage, reading.known)
    if not staged.size:
        return
    plan.forget(stage, staged[staged > skipped])
    if feed.operation == Operation.ADD_ONLY:
        found.tolerated += int((staged > skipped).sum())
        return
    named = " and ".join(record_type.key)
    message = f"The same {named} stands on line {{other}} already. Keep one of the two rows."
    late_lines, early = np.maximum(staged, skipped), np.minimum(staged, skipped)
    found.add(LateBatch(Code.DUPLICATE_KEY, record_type.key[0], message, late_lines, early))


def _summarise(reading: Reading, batch: LateBatch) -> None:
    first = [batch.sentence(position) for position in range(min(1, batch.lines.size))]
    reading.summary.add_many(
        batch.code,
        batch.column,
        Severity.ERROR,
        first[0],
        batch.lines.tolist(),
        [""] * int(batch.lines.size),
    )
