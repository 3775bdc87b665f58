"""A sorted set of 64-bit hashes that may be far larger than the memory. Pure.

Up to two million stay in memory. More of them are parted by their highest bits into files of the
attempt's own directory, sorted part by part, and looked up through a map of the result: of it only
the piece that is being searched counts as the process's memory.
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

_HELD = 1 << 21  # hashes in memory
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

    def find(self, wanted: Hashes) -> tuple[Hashes, Flags]:
        """The place of each of the ascending hashes, and whether it is there at all."""
        at = np.zeros(wanted.size, dtype=np.int64)
        hit = np.zeros(wanted.size, dtype=bool)
        firsts = self.values[::_PIECE]
        # What is below all of them is looked for in the first piece, and not found there.
        cuts = [0, *np.searchsorted(wanted, firsts[1:]).tolist(), wanted.size]
        for number, (low, high) in enumerate(pairwise(cuts)):
            if low == high or not self.size:
                continue
            start = number * _PIECE
            piece = self.values[start : start + _PIECE]
            place = np.minimum(np.searchsorted(piece, wanted[low:high]), piece.size - 1)
            hit[low:high] = piece[place] == wanted[low:high]
            at[low:high] = place + start
            self._let_go(start, piece)
        return at, hit

    def _let_go(self, start: int, piece: Hashes) -> None:
        if self.mapped is not None:
            width = self.values.itemsize
            self.mapped.madvise(mmap.MADV_DONTNEED, start * width, piece.size * width)


def collected(batches: Iterable[Hashes], directory: Path) -> SortedHashes:
    """The set of all hashes. directory: for the files of many."""
    held = np.empty(0, np.int64)
    is_parted = False
    for batch in batches:
        # Grown in its place: parts that are joined at the end would take the memory twice.
        held.resize(held.size + batch.size, refcheck=False)
        held[held.size - batch.size :] = batch
        if held.size > _HELD:
            _part(held, directory)
            held, is_parted = np.empty(0, np.int64), True
    if not is_parted:
        return SortedHashes(_unique(held))
    _part(held, directory)
    return _mapped(directory)


def _part(hashes: Hashes, directory: Path) -> None:
    """Append the hashes to the files of their parts, which follow each other in value."""
    part = (hashes >> (64 - _PART_BITS)).astype(np.int8)
    for number in _numbers():
        with _file(directory, number).open("ab") as file:
            file.write(hashes[part == number].tobytes())


def _mapped(directory: Path) -> SortedHashes:
    """Sort part by part into one file and map it."""
    whole = directory / "hashes"
    with whole.open("wb") as file:
        for number in _numbers():
            part = _file(directory, number)
            file.write(_unique(np.fromfile(part, np.int64)).tobytes())
            part.unlink()
    with whole.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    return SortedHashes(np.frombuffer(mapped, np.int64), mapped)


def _numbers() -> range:
    half = 1 << (_PART_BITS - 1)
    return range(-half, half)


def _file(directory: Path, number: int) -> Path:
    return directory / f"hashes.{number}"


def _unique(hashes: Hashes) -> Hashes:
    hashes.sort()
    return np.unique(hashes) if (hashes[1:] == hashes[:-1]).any() else hashes
