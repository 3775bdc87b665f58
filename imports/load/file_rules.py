"""The rules that need the whole file, and the plan that remains after them.

Runs the pure cross-checks, then the ones against the store, takes the wrong rows out of staging,
and counts what is left.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from imports.check import across_rows
from imports.check.across_rows import RejectedRows
from imports.issues import Code
from imports.load import plan, repetitions, spans, stored
from imports.load.file_rejects import FileRejects, Ints, RulesContext, summarise
from imports.load.measured import Plan
from imports.load.owners import count_owned
from imports.load.plan import Absent
from imports.load.reading import FileReading
from imports.load.staging import StagingTable
from imports.load.stored import Target
from portal.records.definitions import Feed, Operation, RecordType, Rule


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
    context = RulesContext(feed, record_type, target, reading, stage, headers, FileRejects())
    duplicates = repetitions.of_file(context)
    stage.analyze()
    plan.match(stage, target, reading.staged, duplicates)
    repetitions.of_skipped(context)
    if _needs_record(feed):
        _without_record(context)
    _between_rows(context, duplicates)
    for batch in context.rejects.batches:
        summarise(reading, batch)
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
        owned=None if absent is None or absent.scope else count_owned(target, absent.source),
    )


def _needs_record(feed: Feed) -> bool:
    """Whether rows of the feed may change or remove records, which must exist then."""
    named = feed.row_operation.values.values() if feed.row_operation else ()
    return bool({feed.operation, *named} & {Operation.REMOVE, Operation.UPDATE_ONLY})


def _without_record(context: RulesContext) -> None:
    missing = plan.without_record(context.stage)
    # A row that takes back what an earlier row of the file asked for has nothing to take back.
    taken_back = np.isin(missing, context.rejects.decisive)
    context.unstage(missing[taken_back])
    context.rejects.tolerated += int(taken_back.sum())
    missing = missing[~taken_back]
    message = (
        f"{context.record_type.label}: no record has this "
        f"{' and '.join(context.key)}, so there is nothing to change or remove. "
        "Correct the value, or remove the row."
    )
    context.reject(RejectedRows(Code.UNKNOWN_KEY, context.key[0], message, missing, missing))


def _between_rows(context: RulesContext, duplicates: Ints) -> None:
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


def _within_parents(context: RulesContext, rule: Rule) -> None:
    """Reject the rows outside the dates of the record that they name, in the file or the store."""
    rows, parents = spans.spans(context.stage, context.target, context.record_type, rule)
    header = context.headers.get(rule.field, rule.field)
    for batch in across_rows.outside_parents(rows, parents, header, rule.values):
        context.reject(batch)


def _only_one(rule: Rule, context: RulesContext, gone: Ints) -> RejectedRows | None:
    value = rule.values[0]
    if not any(part.size for part in context.reading.gathered.only.get(rule.field, [])):
        return None
    taken = plan.held_by_another(context.stage, context.target, rule.field, value)
    return across_rows.more_than_one(context.reading.gathered, rule.field, value, taken, gone)
