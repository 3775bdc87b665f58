"""What the store holds already, as compact arrays: unchanged records' hashes and reference keys.

A few bytes a record instead of the record, so that a million rows are compared with what is stored
without a query per row (performance.md, "The design that wins").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from django.db import connection

from imports.check.row_numbers import RowNumbers
from imports.check.validation import ReferenceSet, key_hash
from imports.load.sorted_hashes import Flags, Hashes, SortedHashes, sort_hashes
from imports.scan.scanner import Chunk, keep
from portal.models import RecordKind
from portal.records.catalog import catalog
from portal.records.definitions import Field, RecordType

# Records are fetched in buckets of this many ids, so that no answer grows beyond some megabytes.
_BUCKET_BITS = 20
_BUCKET = 1 << _BUCKET_BITS
_SEPARATOR = "\x1e"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a job writes: a tenant's records of one kind."""

    tenant_id: int
    kind_id: int


@dataclass(slots=True)
class StoredRecords:
    """The source hashes of a type's active records, and on which line of this file each was seen.

    seen: whether the hash at that index was seen. met: the hashes that were, with their lines.
    records: how many active records there are; None where they were not counted. skipped: how many
    rows of the file were skipped.
    """

    hashes: SortedHashes
    seen: Flags
    met: RowNumbers
    records: int | None = None
    skipped: int = field(default=0)

    def skip(self, chunk: Chunk, hashes: Hashes) -> tuple[Chunk, Hashes]:
        """Take the records that are stored already, byte for byte, out of the chunk.

        The second of two identical records stays in: it is a duplicate key, to be reported.
        """
        if not self.hashes.size or not hashes.size:
            return chunk, hashes
        order = np.argsort(hashes, kind="stable")
        ascending = hashes[order]
        at, hit = self.hashes.find(ascending)
        hit &= ~self.seen[at]
        hit[1:] &= ascending[1:] != ascending[:-1]
        self.seen[at[hit]] = True
        chosen = np.sort(order[hit])
        self.met.put(hashes[chosen], chunk.lines[chosen])
        self.skipped += int(chosen.size)
        rest = np.ones(hashes.size, dtype=bool)
        rest[chosen] = False
        return keep(chunk, rest), hashes[rest]

    def seen_on(self, lines: Hashes) -> int:
        """How many of the skipped records were on these lines, none of which is named twice."""
        return int(self.met.has(lines).sum())

    def seen_line(self, hashes: Hashes) -> Hashes:
        """The line on which a record of each hash was skipped; 0 where none was."""
        lines = np.zeros(hashes.size, dtype=np.int64)
        if not self.hashes.size:
            return lines
        order = np.argsort(hashes, kind="stable")
        at, hit = self.hashes.find(hashes[order])
        hit &= self.seen[at]  # rarely any: the skipped ones need not be searched for them
        lines[order[hit]] = self.met.lines_of(hashes[order[hit]])
        return lines


def no_records() -> StoredRecords:
    """No stored records, for feeds that must look at every row."""
    return StoredRecords(SortedHashes(np.empty(0, np.int64)), np.empty(0, np.bool_), RowNumbers())


def load_hashes(target: Target, directory: Path) -> StoredRecords:
    """The hashes of all active records of the type. directory: for the files of many."""
    records = 0

    def batches() -> Iterator[Hashes]:
        nonlocal records
        for low in range(0, _last_id() + 1, _BUCKET):
            hashes = _bucket(target, low)
            records += hashes.size
            yield hashes

    hashes = sort_hashes(batches(), directory)
    met = directory / "met"
    met.mkdir()
    return StoredRecords(hashes, np.zeros(hashes.size, dtype=bool), RowNumbers(met), records)


def _bucket(target: Target, low: int) -> Hashes:
    with connection.cursor() as cursor:
        # One group, so that PostgreSQL may read with several processes.
        cursor.execute(
            "SELECT coalesce(string_agg(int8send(source_hash), ''), '') "
            "FROM portal_record WHERE tenant_id = %s AND kind_id = %s AND active "
            "AND id >= %s AND id < %s",
            [target.tenant_id, target.kind_id, low, low + _BUCKET],
        )
        (packed,) = cursor.fetchone()
    return np.frombuffer(packed, ">i8").astype(np.int64)


def _last_id() -> int:
    """The highest number that any tenant's record can have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM portal_record_id_seq")
        (last,) = cursor.fetchone()
    return int(last)


def references(tenant_id: int, fields: Iterable[Field]) -> dict[str, ReferenceSet]:
    """The keys of the record types that these fields refer to, by type."""
    names = {field.references for field in fields if field.references}
    return {name: references_to(tenant_id, catalog().record_type(name)) for name in sorted(names)}


def references_to(tenant_id: int, record_type: RecordType) -> ReferenceSet:
    """The keys of all active records of the type, as a set that cells are checked against."""
    # The kind is looked up first: the planner then knows how few of the store's rows it has.
    kind = RecordKind.objects.filter(name=record_type.name).values_list("pk", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(key, %s) FROM portal_record "
            "WHERE tenant_id = %s AND kind_id = %s AND active GROUP BY id >> %s",
            [_SEPARATOR, tenant_id, kind, _BUCKET_BITS],
        )
        parts = [_hashed(row[0].split(_SEPARATOR), record_type) for row in cursor.fetchall()]
    return ReferenceSet(np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64))


def parents(target: Target, record_type: RecordType, column: str) -> dict[int, int]:
    """Key hash → parent's key hash of the active records of a type that forms a tree."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, data ->> %s FROM portal_record WHERE tenant_id = %s AND kind_id = %s "
            "AND active AND data ->> %s <> ''",
            [column, target.tenant_id, target.kind_id, column],
        )
        pairs = cursor.fetchall()
    keys = _hashed([pair[0] for pair in pairs], record_type).tolist()
    above = _hashed([pair[1] for pair in pairs], record_type).tolist()
    return dict(zip(keys, above, strict=True))


def _hashed(keys: list[str], record_type: RecordType) -> Hashes:
    """Stored keys are folded already; hashing them again as one part gives the same number."""
    frame = pl.DataFrame({"key": keys}, schema={"key": pl.String})
    hashes: Hashes = frame.select(key_hash([pl.col("key")], record_type.fold_key))["key"].to_numpy()
    return hashes
