"""Rules across the rows: duplicate keys, references inside the file, one row at most, no cycles.

Pure: works on compact arrays that were kept while the file was read (`row_numbers.py`). The rows
that fail here passed the checks of their own cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from imports.check import moments
from imports.check.row_numbers import Ints, RowNumbers
from imports.check.validation import ReferenceSet
from imports.issues import Code


@dataclass(slots=True)
class RejectedRows:
    """Rows rejected for one cause. other: for each row, the number for {other} in the message."""

    code: Code
    column: str | None
    message: str
    lines: Ints
    other: Ints

    def sentence(self, position: int) -> str:
        return self.message.replace("{other}", f"{int(self.other[position]):,}")


def duplicates(numbers: RowNumbers, columns: Sequence[str]) -> RejectedRows | None:
    """Second and later rows of a key within the file; the first one is accepted."""
    return duplicates_of(*repeated(numbers), columns)


def duplicates_of(lines: Ints, first: Ints, columns: Sequence[str]) -> RejectedRows | None:
    """The rows on these lines, each a repetition of the key of its first line."""
    if not lines.size:
        return None
    named = " and ".join(columns)
    message = (
        f"The same {named} is already on line {{other}}. "
        "Keep one of the two rows; the first one was used."
    )
    return RejectedRows(Code.DUPLICATE_KEY, columns[0], message, lines, first)


def repeated(numbers: RowNumbers) -> tuple[Ints, Ints]:
    """Lines of repeated keys, and for each the line of its key's first row."""
    repetitions: list[tuple[Ints, Ints]] = []
    for unsorted, places in numbers.parts():
        order = np.argsort(unsorted, kind="stable")
        keys, lines = unsorted[order], places[order].astype(np.int64)
        again = np.zeros(keys.size, dtype=bool)
        again[1:] = keys[1:] == keys[:-1]
        starts = np.maximum.accumulate(np.where(again, 0, np.arange(keys.size)))
        repetitions.append((lines[again], lines[starts[again]]))
    repeated = np.concatenate([pair[0] for pair in repetitions])
    first = np.concatenate([pair[1] for pair in repetitions])
    order = np.argsort(repeated)
    return repeated[order], first[order]


@dataclass(frozen=True, slots=True)
class Superseded:
    """Rows that a later row of the same key overrules, because the two say to do different things.

    lines: theirs, ascending; last: for each the line of the row that counts.
    """

    lines: Ints
    last: Ints


def superseded(groups: Ints, lines: Ints, operations: Ints) -> Superseded:
    """Which rows a later one of their group overrules. operations: a number for what a row does.

    In a group whose rows all do the same none is overruled: such rows are repetitions.
    """
    order = np.lexsort((lines, groups))
    groups, lines, operations = groups[order], lines[order], operations[order]
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]][: groups.size])
    if not starts.size:
        return Superseded(lines, lines)
    sizes = np.diff(np.r_[starts, groups.size])
    lowest, highest = (of.reduceat(operations, starts) for of in (np.minimum, np.maximum))
    last = np.repeat(lines[starts + sizes - 1], sizes)
    overruled = np.repeat(lowest != highest, sizes) & (lines != last)
    return Superseded(lines[overruled], last[overruled])


def unknown_own(
    numbers: RowNumbers, column: str, label: str, stored: ReferenceSet, rejected: Ints
) -> RejectedRows | None:
    """Rows whose reference to their own type is neither in the store nor an accepted row.

    A row whose parent is rejected is rejected too, down the whole chain.
    """
    keys, lines = numbers.joined()
    parents = np.concatenate(numbers.own[column]) if column in numbers.own else None
    if parents is None:
        return None
    standing = ~np.isin(lines, rejected)
    wants = (parents != 0) & stored.missing(pl.Series(parents))
    while True:
        lost = standing & wants & ~np.isin(parents, keys[standing])
        if not lost.any():
            break
        standing &= ~lost
    bad = wants & ~standing & ~np.isin(lines, rejected)
    if not bad.any():
        return None
    message = (
        f'"{column}" refers to {label}: no accepted row of this file and no stored record has that '
        "identifier. Add the missing row, or correct the value."
    )
    return RejectedRows(Code.UNKNOWN_REFERENCE, column, message, lines[bad], lines[bad])


def cycles(
    numbers: RowNumbers, column: str, stored: dict[int, int], rejected: Ints
) -> RejectedRows | None:
    """Rows that would be their own ancestor. stored: key hash → parent hash of the store's rows."""
    if column not in numbers.own:
        return None
    keys, lines = numbers.joined()
    parents = np.concatenate(numbers.own[column])
    standing = ~np.isin(lines, rejected)
    tree = dict(stored)
    tree.update(zip(keys[standing].tolist(), parents[standing].tolist(), strict=True))
    looped = set(_looped(tree))
    bad = standing & np.isin(keys, np.fromiter(looped, np.int64, len(looped)))
    if not bad.any():
        return None
    message = (
        f"{column} forms a loop that leads back to this row. Give one row of the "
        "loop another parent."
    )
    return RejectedRows(Code.CYCLE, column, message, lines[bad], lines[bad])


def _looped(tree: dict[int, int]) -> Iterator[int]:
    """Nodes on a cycle of a parent map (0 is no parent)."""
    safe: set[int] = set()
    for start in tree:
        path: dict[int, None] = {}
        node = start
        while node and node in tree and node not in safe and node not in path:
            path[node] = None
            node = tree[node]
        if node in path:
            chain = list(path)
            yield from chain[chain.index(node) :]
        safe.update(path)


def outside_parents(
    rows: pl.DataFrame, parents: pl.DataFrame, column: str, names: Sequence[str]
) -> Iterator[RejectedRows]:
    """Rows that begin before their parent begins, or end after it ends.

    rows: line, parent, begin, end. parents: key, begin, end, each key once; keys as hashes. names:
    of the two fields. A row whose parent is not there has been rejected for that.
    """
    both = rows.join(parents, left_on="parent", right_on="key", suffix="_of_parent")
    early = moments.later(pl.col("begin_of_parent"), pl.col("begin"))
    late = moments.later(pl.col("end"), pl.col("end_of_parent"))
    for failed, name, word, of in (
        (early, names[0], "earlier", "begin"),
        (late, names[1], "later", "end"),
    ):
        bad = both.filter(failed.fill_null(False)).sort("line")
        if not bad.height:
            continue
        limits = bad[f"{of}_of_parent"].unique(maintain_order=True)
        limit = f", {limits[0]}" if limits.len() == 1 else ""
        message = (
            f'"{name}" is {word} than that of the record which "{column}" names{limit}.'
            " Correct the date, or the other record's."
        )
        lines = bad["line"].to_numpy()
        yield RejectedRows(Code.OUTSIDE_PARENT, name, message, lines, lines)


def more_than_one(
    numbers: RowNumbers, column: str, value: str, taken: bool, rejected: Ints
) -> RejectedRows | None:
    """Rows after the first with a value of which one is allowed. taken: a stored record has it."""
    lines = np.concatenate(numbers.only.get(column, [np.empty(0, np.int64)]))
    lines = lines[~np.isin(lines, rejected)]
    extra = lines if taken else lines[1:]
    if not extra.size:
        return None
    where = "a record of the portal" if taken else "line {other}"
    message = (
        f"Only one row may have {value} as its {column}; {where} already has it. "
        "Correct one of the two."
    )
    first = np.full(extra.size, lines[0], dtype=np.int64)
    return RejectedRows(Code.ONLY_ONE, column, message, extra, first)
