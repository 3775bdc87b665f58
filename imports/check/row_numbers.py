"""Numbers of each accepted row, kept while a file is read for the rules across its rows. Pure.

They take twelve bytes a row, so that those of a million rows stay in memory. Beyond that they go
into files of the attempt's own directory, split by the key's hash: each part is small, whatever the
file's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Lines = npt.NDArray[np.int32]
Pair = tuple[Ints, Lines]

PARTS = 64
_HELD = 1 << 20  # rows in memory
_FEW = 1 << 16  # rows that are not worth splitting


@dataclass(slots=True)
class RowNumbers:
    """The key hash and the line of each accepted row, chunk by chunk.

    directory: where numbers go when there are many; None keeps all of them in memory. own: hashes
    of references to the rows' own type, by column. only: by column, lines of the rows with a value
    that one row at most may have. held: rows in memory.
    """

    directory: Path | None = None
    keys: list[Ints] = field(default_factory=list)
    lines: list[Lines] = field(default_factory=list)
    own: dict[str, list[Ints]] = field(default_factory=dict)
    only: dict[str, list[Ints]] = field(default_factory=dict)
    held: int = 0
    is_split: bool = False

    def add(self, good: pl.DataFrame) -> None:
        """Keep the numbers of accepted rows (columns as in `imports.check.validation`)."""
        lines = good["line"].to_numpy()
        for name in good.columns:
            kind, _, of = name.partition(":")
            if kind == "self":
                self.own.setdefault(of, []).append(good[name].fill_null(0).to_numpy())
            elif kind == "only":
                self.only.setdefault(of, []).append(lines[good[name].fill_null(False).to_numpy()])
        self.put(good["key_hash"].to_numpy(), lines)

    def put(self, keys: Ints, lines: Ints) -> None:
        """Keep a line for each key."""
        self.keys.append(keys)
        self.lines.append(lines.astype(np.int32))
        self.held += keys.size
        # A type that refers to itself is checked in the file's order, which parts do not keep.
        if self.held >= _HELD and self.directory is not None and not self.own:
            self._write_parts(self.directory)

    def has(self, lines: Ints) -> npt.NDArray[np.bool_]:
        """Which of the lines are of accepted rows."""
        distinct, inverse = np.unique(lines, return_inverse=True)
        accepted = np.zeros(distinct.size, dtype=bool)
        for _keys, kept in self._pieces():
            if kept.size:  # in the file's order, thus ascending
                low, high = np.searchsorted(distinct, (kept[0], kept[-1] + 1))
                at = np.searchsorted(kept, distinct[low:high])
                accepted[low:high] |= kept[at] == distinct[low:high]
        return accepted[inverse]

    def lines_of(self, keys: Ints) -> Ints:
        """The line of each key, which must be on one line at most; 0 where it is on none."""
        distinct, inverse = np.unique(keys, return_inverse=True)
        key_lines = np.zeros(distinct.size, dtype=np.int64)
        for kept, lines in self._pieces() if distinct.size else ():
            at = np.minimum(np.searchsorted(distinct, kept), distinct.size - 1)
            hit = distinct[at] == kept
            key_lines[at[hit]] = lines[hit]
        return key_lines[inverse]

    def joined(self) -> tuple[Ints, Ints]:
        """All keys and lines, in the file's order; of a type that refers to itself."""
        keys, lines = self._in_memory()
        return keys, lines.astype(np.int64)

    def parts(self) -> Iterator[Pair]:
        """The keys and lines in parts, each with all rows of its keys in the file's order."""
        if not self.is_split or self.directory is None:
            yield from _split(*self._in_memory())
            return
        if self.keys:
            self._write_parts(self.directory)
        for number in range(PARTS):
            yield _read_part(self.directory, number)

    def _pieces(self) -> Iterable[Pair]:
        """The keys and lines piece by piece: joining them would double the memory they take."""
        return self.parts() if self.is_split else zip(self.keys, self.lines, strict=True)

    def _in_memory(self) -> Pair:
        if not self.keys:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        return np.concatenate(self.keys), np.concatenate(self.lines)

    def _write_parts(self, directory: Path) -> None:
        """Append what is in memory to the files of its parts."""
        keys, lines = self._in_memory()
        part = (keys & (PARTS - 1)).astype(np.uint8)
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=PARTS))
        keys, lines = keys[order], lines[order]
        for number, end in enumerate(ends.tolist()):
            start = int(ends[number - 1]) if number else 0
            _append(directory / f"keys.{number}", keys[start:end])
            _append(directory / f"lines.{number}", lines[start:end])
        self.keys, self.lines, self.held, self.is_split = [], [], 0, True


def _split(keys: Ints, lines: Lines) -> Iterator[Pair]:
    """Split numbers in memory into parts: sorting all at once takes several times the memory."""
    if keys.size < _FEW:
        yield keys, lines
        return
    part = (keys & (PARTS - 1)).astype(np.uint8)
    for number in range(PARTS):
        chosen = part == number
        yield keys[chosen], lines[chosen]


def _read_part(directory: Path, number: int) -> Pair:
    keys = np.fromfile(directory / f"keys.{number}", np.int64)
    return keys, np.fromfile(directory / f"lines.{number}", np.int32)


def _append(path: Path, values: Ints | Lines) -> None:
    with path.open("ab") as file:
        file.write(values.tobytes())
