"""Dependents: active records that refer to records which are about to be removed.

They stay as they are, and are named: on the page of a held job, among the issues, in the preview of
an undo. Compared by the hashes that references are checked by, bucket by bucket; only where
something is removed that other types, or its own, refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, LiteralString

import numpy as np
import polars as pl
from django.db import connection
from psycopg import sql

from imports.check.keys import ReferenceSet
from imports.issues import Code, Severity, counted
from imports.load.measure import PlannedFile
from imports.load.plan import removed
from imports.load.stored import BUCKET_BITS, SEPARATOR, hashed
from imports.report.summary import EXAMPLES, IssueTally, Summary
from portal.models import RecordKind
from portal.records.catalog import catalog
from portal.records.definitions import Field, RecordType

_KEYS: LiteralString = (
    "SELECT string_agg(r.key, {separator}) FROM portal_record r "
    "WHERE r.active AND r.id IN ({removed}) GROUP BY r.id >> {bits}"
)
# Both texts of a bucket are in the same order. {value}: a text, or the elements of a list.
_REFERRING: LiteralString = (
    "SELECT string_agg(v.id::text, {separator} ORDER BY v.id), "
    "string_agg(replace(v.value, {separator}, ''), {separator} ORDER BY v.id) FROM ("
    "SELECT r.id, {value} AS value FROM portal_record r "
    "WHERE r.tenant_id = {tenant} AND r.kind_id = {kind} AND r.active "
    "AND r.data ->> {field} <> '') v GROUP BY v.id >> {bits}"
)
_MANY: LiteralString = (
    "jsonb_array_elements_text(CASE jsonb_typeof(r.data -> {field}) WHEN 'array' "
    "THEN r.data -> {field} ELSE '[]' END)"
)


@dataclass(frozen=True, slots=True)
class Dependents:
    """Records of one type that refer by one field to what is removed. keys: of the first ones."""

    label: str
    field: str
    count: int
    keys: tuple[str, ...]


def of_removed(
    tenant_id: int,
    record_type: RecordType,
    removed: sql.Composable,
    values: Sequence[Any] | Mapping[str, Any] = (),
) -> list[Dependents]:
    """The dependents of the records whose ids the SELECT `removed` gives, most first.

    Records that are removed themselves are no dependents.
    """
    referring = [
        (other, field)
        for other in catalog().order()
        for field in other.fields
        if field.references == record_type.name
    ]
    keys = _keys(removed, values, record_type) if referring else ReferenceSet(np.empty(0, np.int64))
    if not keys.hashes.size:
        return []
    each = [_of_field(tenant_id, *pair, record_type, keys, removed, values) for pair in referring]
    return sorted((of for of in each if of.count), key=lambda of: (-of.count, of.label))


def of_plan(file: PlannedFile, summary: Summary) -> list[Dependents]:
    """The dependents of what the plan removes; an issue of the summary names them."""
    if not file.plan.removed:
        return []
    removing, values = removed(file.staging, file.target, file.absent)
    depending = of_removed(file.target.tenant_id, file.record_type, removing, values)
    if depending:
        summary.add_tally(warning(depending))
    return depending


def as_json(dependents: Sequence[Dependents]) -> list[dict[str, Any]]:
    """The dependents as a job keeps them."""
    return [asdict(each) for each in dependents]


def warning(dependents: Sequence[Dependents]) -> IssueTally:
    """The one issue about all of them, with the first keys."""
    count = sum(each.count for each in dependents)
    by_type = ", ".join(f"{each.label} {each.count:,} ({each.field})" for each in dependents)
    message = (
        f"{counted(count, 'other record')} of the portal {'refers' if count == 1 else 'refer'} to "
        f"what this file removes: {by_type}. They stay as they are. Send a file that changes or "
        "removes them too, or keep what they refer to."
    )
    examples: list[tuple[int | None, str]] = [
        (None, f"{each.label}: {key}") for each in dependents for key in each.keys
    ]
    return IssueTally(
        Severity.WARNING, Code.REMOVED_DEPENDED_ON, None, message, count, examples[:EXAMPLES]
    )


def _keys(
    removed: sql.Composable, values: Sequence[Any] | Mapping[str, Any], record_type: RecordType
) -> ReferenceSet:
    statement = sql.SQL(_KEYS).format(removed=removed, **_shared())
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        texts = [row[0] for row in cursor.fetchall()]
    hashes = [hashed(text.split(SEPARATOR), record_type) for text in texts]
    return ReferenceSet(np.unique(np.concatenate(hashes)) if hashes else np.empty(0, np.int64))


def _of_field(
    tenant_id: int,
    other: RecordType,
    field: Field,
    record_type: RecordType,
    keys: ReferenceSet,
    removed: sql.Composable,
    values: Sequence[Any] | Mapping[str, Any],
) -> Dependents:
    ids = {
        int(number)
        for numbers, cells in _buckets(tenant_id, other, field)
        for number in _hits(numbers, cells, record_type, keys)
    }
    if other.name == record_type.name and ids:
        ids -= _among(ids, removed, values)
    return Dependents(other.label, field.name, len(ids), _first_keys(ids))


def _hits(numbers: str, cells: str, record_type: RecordType, keys: ReferenceSet) -> Iterator[str]:
    """The numbers of the records, as text, whose cell is one of the keys."""
    hit = ~keys.missing(pl.Series(hashed(cells.split(SEPARATOR), record_type)))
    all_numbers = numbers.split(SEPARATOR)
    return (all_numbers[at] for at in np.flatnonzero(hit).tolist())


def _buckets(tenant_id: int, other: RecordType, field: Field) -> list[tuple[str, str]]:
    kind = RecordKind.objects.filter(name=other.name).values_list("pk", flat=True).first()
    name = sql.Literal(field.name)
    value = sql.SQL(_MANY if field.many else "r.data ->> {field}").format(field=name)
    statement = sql.SQL(_REFERRING).format(
        value=value,
        field=name,
        tenant=sql.Literal(tenant_id),
        kind=sql.Literal(kind),
        **_shared(),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[str, str]] = cursor.fetchall()
    return rows


def _among(
    ids: set[int], removed: sql.Composable, values: Sequence[Any] | Mapping[str, Any]
) -> set[int]:
    statement = sql.SQL("SELECT x.id FROM ({}) x WHERE x.id = ANY({})").format(
        removed, sql.Literal(sorted(ids))
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return {row[0] for row in cursor.fetchall()}


def _first_keys(ids: set[int]) -> tuple[str, ...]:
    if not ids:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key FROM portal_record WHERE id = ANY(%s) ORDER BY key",
            [sorted(ids)[:EXAMPLES]],
        )
        return tuple(row[0].replace("\x1f", " / ") for row in cursor.fetchall())


def _shared() -> dict[str, sql.Literal]:
    return {"separator": sql.Literal(SEPARATOR), "bits": sql.Literal(BUCKET_BITS)}
