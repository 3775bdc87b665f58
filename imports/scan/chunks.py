"""What the scanner hands on: clean records with their line numbers, and the records cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import xxhash

from imports.issues import Code
from imports.scan.record_bounds import Bools, Ints


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes of one record and of one cell (UTF-8), most columns of a file."""

    record: int = 1 << 20
    cell: int = 64 << 10
    columns: int = 1000


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class Cut:
    """A record that is not well-formed. line: physical line of its start.

    raw: the record without its line end, UTF-8 where it could be read, at most the record limit.
    found: what is wrong with it, at most 200 characters.
    """

    line: int
    code: Code
    raw: bytes
    message: str
    found: str


@dataclass(slots=True)
class Chunk:
    """Some consecutive records of a file.

    data: UTF-8 records, each ended by a line feed; all have the header's number of cells.
    lines: physical line of each record's start. offsets: where in `data` each starts, and the
    end of the last. cut: the malformed ones, in order. consumed: bytes of the source read so far.
    """

    data: bytes
    lines: Ints
    offsets: Ints
    cut: list[Cut] = field(default_factory=list)
    consumed: int = 0


def join(data: bytes, starts: Ints, ends: Ints, mask: Bools) -> bytes:
    """The records of `data` that the mask names. ends: each one's end, line feed included."""
    if mask.all() and starts.size and starts[0] == 0 and ends[-1] == len(data):
        return data
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    runs = zip(starts[edges[0::2]].tolist(), ends[edges[1::2] - 1].tolist(), strict=True)
    view = memoryview(data)
    return b"".join(view[start:end] for start, end in runs)


def offsets_of(sizes: Ints) -> Ints:
    """Offsets of consecutive records from their sizes: one longer, begins with 0."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)))


def keep(chunk: Chunk, mask: Bools) -> Chunk:
    """The chunk with only the records of the Boolean mask; its cuts are kept."""
    starts, ends = chunk.offsets[:-1], chunk.offsets[1:]
    return Chunk(
        data=join(chunk.data, starts, ends, mask),
        lines=chunk.lines[mask],
        offsets=offsets_of((ends - starts)[mask]),
        cut=chunk.cut,
        consumed=chunk.consumed,
    )


def merged(chunks: Sequence[Chunk]) -> Chunk:
    """Consecutive chunks as one."""
    if len(chunks) == 1:
        return chunks[0]
    return Chunk(
        data=b"".join(chunk.data for chunk in chunks),
        lines=np.concatenate([chunk.lines for chunk in chunks]),
        offsets=offsets_of(np.concatenate([np.diff(chunk.offsets) for chunk in chunks])),
        cut=[cut for chunk in chunks for cut in chunk.cut],
        consumed=chunks[-1].consumed,
    )


def record_hashes(chunk: Chunk, seed: int) -> Ints:
    """XXH3-64 of each record's bytes without its line end, as signed integers.

    seed: identifies the layout (template version, header, dialect); another gives other hashes.
    """
    data, digest = chunk.data, xxhash.xxh3_64_intdigest
    seed &= (1 << 64) - 1

    spans = pairwise(chunk.offsets.tolist())
    hashes = np.array([digest(data[start : end - 1], seed) for start, end in spans], np.uint64)
    return hashes.view(np.int64)
