"""Which column of a file is which field of its feed, where no template says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import xxhash

from imports.check.columns import (
    ATTACHMENT_COLUMNS,
    WAY_OF_READING,
    ColumnMapping,
    fields_of,
    folded_names,
    is_attachment,
    kept_columns,
    operation_position,
    positions,
    unknown_columns,
    unnamed,
)
from imports.issues import SHOWN_CHARACTERS, Code, FileRefused, Issue
from imports.mapping.automatch import targets_of
from imports.mapping.renaming import ColumnsMissing, Renames, renames
from portal.records.definitions import Feed, Field, RecordType


def match(header: Sequence[str], feed: Feed, record_type: RecordType) -> ColumnMapping:
    """Map a file with that header. Raises FileRefused with every fault of the header."""
    folded = folded_names(header)
    neutralised = is_attachment(folded)
    fields = fields_of(feed, record_type)
    taken = positions(folded, fields)
    operation = operation_position(folded, feed)
    used = {*taken.values(), *(() if operation is None else (operation,))}
    ours = set(ATTACHMENT_COLUMNS) if neutralised else set()
    free = [i for i, name in enumerate(folded) if i not in used and name not in ours]
    kept = kept_columns(header, free, feed, taken)
    free = [i for i in free if i not in dict(kept)]
    absent = [f for f in fields if f.name not in taken]
    _refuse_missing(header, free, feed, record_type, absent, operation)
    _refuse_order(header, feed, taken, operation)
    unused = _renames(header, free, feed, record_type, [f.name for f in absent]) if free else None
    matched = ((taken[f.name], f) for f in fields if f.name in taken)
    columns = tuple(sorted((*matched, *kept), key=lambda column: column[0]))
    return ColumnMapping(
        header=tuple(header),
        columns=columns,
        operation_column=operation,
        ignored=tuple(header[i] for i in free),
        warnings=(
            *unknown_columns(header, free, unused.partners if unused else {}),
            *unnamed(len(header) - len(folded)),
        ),
        neutralised=neutralised,
        fingerprint=_fingerprint(header, feed, record_type, columns, operation),
    )


def _refuse_missing(
    header: Sequence[str],
    free: Sequence[int],
    feed: Feed,
    record_type: RecordType,
    absent: Iterable[Field],
    operation: int | None,
) -> None:
    needed = [
        field.name
        for field in absent
        if field.required or field.header_required or feed.header_strict
    ]
    if feed.row_operation is not None and operation is None:
        needed.append(feed.row_operation.column)
    if needed:
        likely = _renames(header, free, feed, record_type, needed)
        facts = {name: f'The column "{name}" is missing.' for name in needed}
        raise ColumnsMissing(header, *likely.issues(facts, "."))


def _renames(
    header: Sequence[str],
    free: Sequence[int],
    feed: Feed,
    record_type: RecordType,
    names: Iterable[str],
) -> Renames:
    """Which of the file's free columns may be meant by these fields."""
    candidates = [header[i].strip() for i in free]
    fields = targets_of(feed, record_type)
    return renames({name: [name] for name in names}, candidates, record_type, fields)


def _refuse_order(
    header: Sequence[str], feed: Feed, taken: dict[str, int], operation: int | None
) -> None:
    if not feed.header_strict:
        return
    at = dict(taken)
    if feed.row_operation is not None and operation is not None:
        at[feed.row_operation.column] = operation
    expected = [name for name in feed.columns if name in at]
    actual = sorted(expected, key=at.__getitem__)
    if actual != expected:
        spelled = ", ".join(header[at[name]].strip() for name in actual)
        raise FileRefused(
            Issue(
                Code.WRONG_COLUMN_ORDER,
                f"The columns are in the wrong order: found {spelled};"
                f" expected {', '.join(expected)}. Put them in this order.",
                value=spelled[:SHOWN_CHARACTERS],
            )
        )


def _fingerprint(
    header: Sequence[str],
    feed: Feed,
    record_type: RecordType,
    columns: Iterable[tuple[int, Field]],
    operation: int | None,
) -> int:
    """Hash the whole definitions, so that a change without a new version counts as well."""
    taken = [(i, field.name) for i, field in columns]
    facts = repr((list(header), feed, record_type, taken, operation, WAY_OF_READING))
    return xxhash.xxh3_64_intdigest(facts.encode("utf-8", "surrogatepass"))
