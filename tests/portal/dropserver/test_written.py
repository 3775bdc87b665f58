"""Blocks of a file in any order: what is whole, and where the first gap is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.dropserver.written import MOST_PIECES, TooManyPieces, WrittenBytes

ranges = st.tuples(st.integers(0, 40), st.integers(1, 12)).map(lambda r: (r[0], r[0] + r[1]))


@given(st.integers(0, 10), st.lists(ranges, max_size=12), st.none() | st.integers(0, 50))
def test_it_knows_each_byte(whole: int, written: list[tuple[int, int]], cut: int | None) -> None:
    blocks = WrittenBytes(whole)
    bytes_ = set(range(whole))
    for start, end in written:
        blocks.add(start, end)
        bytes_ |= set(range(start, end))
    if cut is not None:
        blocks.cut(cut)
        bytes_ = {byte for byte in bytes_ if byte < cut}
    first = next(byte for byte in range(100) if byte not in bytes_)
    beyond = [byte for byte in bytes_ if byte > first]
    assert blocks.whole == first
    assert blocks.end == max(bytes_, default=-1) + 1
    assert blocks.gap() == ((first, min(beyond)) if beyond else None)


def test_a_file_in_countless_pieces_is_refused() -> None:
    blocks = WrittenBytes(0)
    with pytest.raises(TooManyPieces):
        for at in range(MOST_PIECES + 1):
            blocks.add(at * 2 + 1, at * 2 + 2)
