"""What the scanner returns: well-formed records with their line numbers, and the malformed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import xxhash

from imports.issues import Code
from imports.scan.record_bounds import Bools, Ints


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """The most bytes of one record and of one cell (UTF-8), and the most columns of a file."""

    record: int = 1 << 20
    cell: int = 64 << 10
    columns: int = 1000


DEFAULT_LIMITS = ScanLimits()


@dataclass(slots=True)
class MalformedRecord:
    """A record that is not well-formed. line: physical line of its start.

    raw: the record without its line end, UTF-8 where it could be read, at most the record limit.
    value: the part that is wrong, at most SHOWN_CHARACTERS of it. cell: its number from 1, or 0
    where it concerns the record.
    """

    line: int
    code: Code
    raw: bytes
    message: str
    value: str
    cell: int = 0


@dataclass(frozen=True, slots=True)
class FooterRecord:
    """A record at the file's end that is no row: its physical line, and the beginning of it."""

    line: int
    text: str


@dataclass(slots=True)
class Chunk:
    """Some consecutive records of a file.

    data: UTF-8 records, each ended by a line feed; all have the header's number of cells.
    lines: physical line of each record's start. offsets: where in `data` each starts, and the
    end of the last. malformed: those that are not in data, in order. consumed: bytes of the source
    read so far. blank: physical lines of the rows that have no value in any cell; they are in
    neither. repeated: likewise of the header once more. footers: likewise records at the file's
    end that are no rows. requoted: physical lines of the records whose quotes were mended, see
    `rewriting`.
    """

    data: bytes
    lines: Ints
    offsets: Ints
    malformed: list[MalformedRecord] = field(default_factory=list)
    consumed: int = 0
    blank: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    repeated: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    footers: list[FooterRecord] = field(default_factory=list)
    requoted: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def join(data: bytes, starts: Ints, ends: Ints, mask: Bools) -> bytes:
    """Join the records of `data` that the mask selects. ends: after each record's line feed."""
    if mask.all() and starts.size and starts[0] == 0 and ends[-1] == len(data):
        return data
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    runs = zip(starts[edges[0::2]].tolist(), ends[edges[1::2] - 1].tolist(), strict=True)
    view = memoryview(data)
    return b"".join(view[start:end] for start, end in runs)


def offsets_of(sizes: Ints) -> Ints:
    """Return offsets of consecutive records: one more than sizes, beginning with 0."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)))


def keep(chunk: Chunk, mask: Bools) -> Chunk:
    """Return the chunk with only the records of the Boolean mask, and all malformed ones."""
    starts, ends = chunk.offsets[:-1], chunk.offsets[1:]
    return Chunk(
        data=join(chunk.data, starts, ends, mask),
        lines=chunk.lines[mask],
        offsets=offsets_of((ends - starts)[mask]),
        malformed=chunk.malformed,
        consumed=chunk.consumed,
        blank=chunk.blank,
        repeated=chunk.repeated,
        footers=chunk.footers,
        requoted=chunk.requoted,
    )


def merged(chunks: Sequence[Chunk]) -> Chunk:
    """Join consecutive chunks to one."""
    if len(chunks) == 1:
        return chunks[0]
    return Chunk(
        data=b"".join(chunk.data for chunk in chunks),
        lines=np.concatenate([chunk.lines for chunk in chunks]),
        offsets=offsets_of(np.concatenate([np.diff(chunk.offsets) for chunk in chunks])),
        malformed=[record for chunk in chunks for record in chunk.malformed],
        consumed=chunks[-1].consumed,
        blank=np.concatenate([chunk.blank for chunk in chunks]),
        repeated=np.concatenate([chunk.repeated for chunk in chunks]),
        footers=[record for chunk in chunks for record in chunk.footers],
        requoted=np.concatenate([chunk.requoted for chunk in chunks]),
    )


def record_hashes(chunk: Chunk, seed: int) -> Ints:
    """Hash each record's bytes without its line end with XXH3-64, as signed integers.

    seed: identifies the layout (template version, header, dialect); hashes differ with it.
    """
    data, digest = chunk.data, xxhash.xxh3_64_intdigest
    seed &= (1 << 64) - 1

    spans = pairwise(chunk.offsets.tolist())
    hashes = np.array([digest(data[start : end - 1], seed) for start, end in spans], np.uint64)
    return hashes.view(np.int64)
