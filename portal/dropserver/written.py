"""Which bytes of a file were written: clients may send its blocks in any order. Pure."""

from __future__ import annotations

from bisect import bisect_left

MOST_PIECES = 10_000  # apart from each other; a client has a few dozen blocks under way


class TooManyPieces(ValueError):
    """The file was written in so many places that it is no upload of one file."""


class WrittenBytes:
    """The ranges of a file that were written. whole: the bytes from the first one without a gap."""

    def __init__(self, whole: int) -> None:
        self.whole = whole
        self._pieces: list[tuple[int, int]] = []  # beyond a gap, sorted, apart from each other

    @property
    def end(self) -> int:
        """Where the last byte that was written ends."""
        return self._pieces[-1][1] if self._pieces else self.whole

    def add(self, start: int, end: int) -> None:
        """Add a range of bytes. Raises TooManyPieces."""
        if start <= self.whole and not self._pieces:
            self.whole = max(self.whole, end)  # the usual case: one block after the other
            return
        at = bisect_left(self._pieces, (start, start))
        while at > 0 and self._pieces[at - 1][1] >= start:
            at -= 1
        last = at
        while last < len(self._pieces) and self._pieces[last][0] <= end:
            start, end = min(start, self._pieces[last][0]), max(end, self._pieces[last][1])
            last += 1
        self._pieces[at:last] = [(start, end)]
        while self._pieces and self._pieces[0][0] <= self.whole:
            self.whole = max(self.whole, self._pieces.pop(0)[1])
        if len(self._pieces) > MOST_PIECES:
            raise TooManyPieces

    def cut(self, size: int) -> None:
        """Forget what is beyond a size."""
        self.whole = min(self.whole, size)
        self._pieces = [(start, min(end, size)) for start, end in self._pieces if start < size]

    def gap(self) -> tuple[int, int] | None:
        """The first bytes that are missing before the last one: from, to. None for a whole file."""
        return (self.whole, self._pieces[0][0]) if self._pieces else None
