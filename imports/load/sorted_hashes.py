"""A sorted set of 64-bit hashes that may be far larger than the memory. Pure.

Up to two million stay in memory. More are split by their highest bits into files in the attempt's
own directory, sorted part by part, and looked up through a memory map of the result: of the map
only the piece that is being searched counts as the process's memory.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MOST_IN_MEMORY = 1 << 21  # hashes
_PIECE = 1 << 19  # hashes that are searched at once: 4 MiB, a multiple of any page
_PART_BITS = 6


@dataclass(frozen=True, slots=True)
class SortedHashes:
    """values: ascending, without repetition. mapped: the file behind them, where there is one."""

    values: Hashes
    mapped: mmap.mmap | None = None

    @property
    def size(self) -> int:
        return int(self.values.size)

    def find(self, hashes: Hashes) -> tuple[Hashes, Flags]:
        """The index of each of the ascending hashes, and whether it is in the set at all."""
        at = np.zeros(hashes.size, dtype=np.int64)
        hit = np.zeros(hashes.size, dtype=bool)
        firsts = self.values[::_PIECE]
        # What is below all of them is searched in the first piece, and is not in it.
        cuts = [0, *np.searchsorted(hashes, firsts[1:]).tolist(), hashes.size]
        for number, (low, high) in enumerate(pairwise(cuts)):
            if low == high or not self.size:
                continue
            start = number * _PIECE
            piece = self.values[start : start + _PIECE]
            place = np.minimum(np.searchsorted(piece, hashes[low:high]), piece.size - 1)
            hit[low:high] = piece[place] == hashes[low:high]
            at[low:high] = place + start
            self._release(start, piece)
        return at, hit

    def _release(self, start: int, piece: Hashes) -> None:
        if self.mapped is not None:
            width = self.values.itemsize
            self.mapped.madvise(mmap.MADV_DONTNEED, start * width, piece.size * width)


def sort_hashes(batches: Iterable[Hashes], directory: Path) -> SortedHashes:
    """The set of all hashes. directory: for files, where the hashes are too many for memory."""
    hashes = np.empty(0, np.int64)
    in_files = False
    for batch in batches:
        # Grown in place: batches that are joined at the end would take the memory twice.
        hashes.resize(hashes.size + batch.size, refcheck=False)
        hashes[hashes.size - batch.size :] = batch
        if hashes.size > _MOST_IN_MEMORY:
            _append_to_parts(hashes, directory)
            hashes, in_files = np.empty(0, np.int64), True
    if not in_files:
        return SortedHashes(_unique(hashes))
    _append_to_parts(hashes, directory)
    return _mapped(directory)


def _append_to_parts(hashes: Hashes, directory: Path) -> None:
    """Append the hashes to the files of their parts, which follow each other in value."""
    part = (hashes >> (64 - _PART_BITS)).astype(np.int8)
    for number in _part_numbers():
        with _part_file(directory, number).open("ab") as file:
            file.write(hashes[part == number].tobytes())


def _mapped(directory: Path) -> SortedHashes:
    """Sort part by part into one file and map it."""
    whole = directory / "hashes"
    with whole.open("wb") as file:
        for number in _part_numbers():
            part = _part_file(directory, number)
            file.write(_unique(np.fromfile(part, np.int64)).tobytes())
            part.unlink()
    with whole.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    return SortedHashes(np.frombuffer(mapped, np.int64), mapped)


def _part_numbers() -> range:
    half = 1 << (_PART_BITS - 1)
    return range(-half, half)


def _part_file(directory: Path, number: int) -> Path:
    return directory / f"hashes.{number}"


def _unique(hashes: Hashes) -> Hashes:
    hashes.sort()
    return np.unique(hashes) if (hashes[1:] == hashes[:-1]).any() else hashes
