"""The records at a file's end that are no data, such as a line of totals, taken out of a scan."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from imports.scan.chunks import Chunk, keep


def without_last(chunks: Iterator[Chunk], number: int) -> Iterator[Chunk]:
    """The chunks without the last records of the file, well-formed or cut.

    Holds back only as many chunks as the last records may be in.
    """
    held: deque[Chunk] = deque()
    count = 0
    for chunk in chunks:
        held.append(chunk)
        count += _size(chunk)
        while count - _size(held[0]) >= number:
            first = held.popleft()
            count -= _size(first)
            yield first
    for chunk in held:
        kept = count - number
        count -= _size(chunk)
        if kept > 0:
            yield _first(chunk, kept)


def _size(chunk: Chunk) -> int:
    return len(chunk.lines) + len(chunk.cut)


def _first(chunk: Chunk, number: int) -> Chunk:
    """The chunk with its first records only."""
    if number >= _size(chunk):
        return chunk
    lines = np.sort(np.concatenate((chunk.lines, [cut.line for cut in chunk.cut])))
    end = int(lines[number])
    kept = keep(chunk, chunk.lines < end)
    kept.cut = [cut for cut in chunk.cut if cut.line < end]
    return kept
