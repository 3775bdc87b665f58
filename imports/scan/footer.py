"""Leave out the records at a file's end that are not data, such as a line of totals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from imports.scan.chunks import Chunk, keep


def without_last(chunks: Iterator[Chunk], number: int) -> Iterator[Chunk]:
    """Yield the chunks without the last records of the file, well-formed or malformed.

    Only as many chunks are held back as may contain the last records.
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
    return len(chunk.lines) + len(chunk.malformed)


def _first(chunk: Chunk, number: int) -> Chunk:
    """Return the chunk with its first records only."""
    if number >= _size(chunk):
        return chunk
    lines = np.sort(np.concatenate((chunk.lines, [record.line for record in chunk.malformed])))
    end = int(lines[number])
    kept = keep(chunk, chunk.lines < end)
    kept.malformed = [record for record in chunk.malformed if record.line < end]
    return kept
