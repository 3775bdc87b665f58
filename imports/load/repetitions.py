"""Rows of one key within a file: repetitions, and rows that a later one overrules."""

from __future__ import annotations

import numpy as np

from imports.check import across_rows
from imports.check.across_rows import RejectedRows, Superseded
from imports.issues import Code, Severity
from imports.load import plan
from imports.load.file_rejects import NONE, Ints, RulesContext, summarise
from portal.records.definitions import Operation


def of_file(context: RulesContext) -> Ints:
    """Lines whose key occurred before; they are not used, and are no fault in an add-only feed."""
    lines, first = across_rows.repeated(context.reading.gathered)
    overruled = _overruled(context, lines, first)
    # The rows of a key that are overruled, and the one that counts, are no repetitions.
    by_order = np.isin(lines, np.concatenate([overruled.lines, overruled.last]))
    duplicates = across_rows.duplicates_of(lines[~by_order], first[~by_order], context.key)
    if duplicates is None:
        return overruled.lines
    if context.feed.operation == Operation.ADD_ONLY:
        context.rejects.tolerated += duplicates.lines.size
    else:
        context.rejects.add(duplicates)
    return np.union1d(duplicates.lines, overruled.lines)


def _overruled(context: RulesContext, lines: Ints, first: Ints) -> Superseded:
    """Staged rows of a repeated key that a later row overrules: disconnect, then connect.

    Only in feeds whose rows say what to do. Rows that were skipped, because they are stored as they
    are, are rows of their keys too.
    """
    if context.feed.row_operation is None or not lines.size:
        return Superseded(NONE, NONE)
    group_of = np.unique(first)
    all_lines, groups = np.concatenate([lines, group_of]), np.concatenate([first, group_of])
    order = np.argsort(all_lines)
    staged, removing, hashes = plan.instructions(context.stage, context.target, all_lines)
    groups = groups[order]
    skipped = context.reading.stored.seen_line(hashes)
    also = np.flatnonzero(skipped)
    overruled = across_rows.superseded(
        np.concatenate([groups, groups[also]]),
        np.concatenate([staged, skipped[also]]),
        np.concatenate([removing, np.zeros(also.size, np.int64)]),
    )
    return _overrule(context, overruled, skipped[also])


def _overrule(context: RulesContext, overruled: Superseded, skipped: Ints) -> Superseded:
    """Warn of the overruled rows, and count the staged ones as accepted without an effect."""
    lines, last = overruled.lines, overruled.last
    message = (
        f"Line {{other}} says something else about the same {' and '.join(context.key)}. "
        "The last row counts; this one did nothing."
    )
    if lines.size:
        lines, at = np.unique(lines, return_index=True)
        last = last[at]
        warned = RejectedRows(Code.SUPERSEDED, context.key[0], message, lines, last)
        summarise(context.reading, warned, Severity.WARNING)
    context.rejects.decisive = np.union1d(context.rejects.decisive, last)
    staged = ~np.isin(lines, skipped)
    context.rejects.tolerated += int(staged.sum())
    return Superseded(lines[staged], last[staged])


def of_skipped(context: RulesContext) -> None:
    """Reject the later of two rows with one key, one of which is stored already as it is."""
    staged, skipped = plan.duplicates_of_skipped(context.stage, context.reading.stored)
    if context.feed.row_operation is not None and staged.size:
        staged, skipped = _overruled_by_skipped(context, staged, skipped)
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


def _overruled_by_skipped(context: RulesContext, staged: Ints, skipped: Ints) -> tuple[Ints, Ints]:
    """Settle the pairs of which one row removes the record and the other has it as it is stored.

    Returns the other pairs, which are repetitions.
    """
    by_order = np.isin(staged, context.rejects.decisive)
    staged, skipped = staged[~by_order], skipped[~by_order]
    lines, removing, _ = plan.instructions(context.stage, context.target, staged)
    settled = np.isin(staged, lines[removing == 1])
    pair = staged[settled], skipped[settled]
    overruled = Superseded(np.minimum(*pair), np.maximum(*pair))
    staged_too = _overrule(context, overruled, pair[1]).lines
    context.unstage(staged_too)
    return staged[~settled], skipped[~settled]
