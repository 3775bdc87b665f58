"""What the store holds already is skipped once: the second of two identical rows is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imports.check import row_numbers
from imports.check.row_numbers import RowNumbers
from imports.load import sorted_hashes
from imports.load.sorted_hashes import Hashes, sort_hashes
from imports.load.stored import StoredRecords, no_records
from imports.scan.chunks import Chunk

FIRST = 2  # line 1 is the header


def chunk_of(numbers: Hashes, start: int) -> Chunk:
    """A row for each number, on the lines from start on."""
    rows = [f"{number}\n".encode() for number in numbers.tolist()]
    ends = np.cumsum([0, *map(len, rows)])
    return Chunk(b"".join(rows), np.arange(start, start + numbers.size), ends)


def lines_and_numbers(chunk: Chunk) -> list[tuple[int, int]]:
    """Line and number of each row that is left."""
    return list(zip(chunk.lines.tolist(), map(int, chunk.data.split()), strict=True))


@pytest.mark.parametrize("held", [100, 1 << 20], ids=["files", "memory"])
def test_each_known_record_is_skipped_where_it_stands_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(row_numbers, "_HELD", held)
    monkeypatch.setattr(sorted_hashes, "_MOST_IN_MEMORY", held)
    random = np.random.default_rng(7)
    stored = random.permutation(4_000)[:2_000].astype(np.int64)
    rows = random.integers(0, 4_000, 3_000)  # many of them twice
    known_hashes = sort_hashes(np.array_split(stored, 10), tmp_path)
    records = StoredRecords(
        known_hashes, np.zeros(known_hashes.size, dtype=bool), RowNumbers(tmp_path)
    )

    left, seen = [], {}
    expected = []
    for start in range(0, rows.size, 50):
        part = rows[start : start + 50]
        rest, hashes = records.skip(chunk_of(part, start + FIRST), part)
        assert [number for _line, number in lines_and_numbers(rest)] == hashes.tolist()
        left += lines_and_numbers(rest)
    for line, number in enumerate(rows.tolist(), FIRST):
        if number in stored and number not in seen:
            seen[number] = line
        else:
            expected.append((line, number))
    assert left == expected
    assert records.skipped == len(seen)
    asked = np.array([*range(4_000), 7, 7, 8], dtype=np.int64)
    assert records.seen_line(asked).tolist() == [seen.get(number, 0) for number in asked.tolist()]
    lines = np.array([*list(seen.values())[:20], 1, 3_002, *[line for line, _ in left[:5]]])
    assert records.seen_on(lines) == 20
    assert records.seen_on(np.empty(0, np.int64)) == 0


def test_without_known_records_every_row_is_looked_at() -> None:
    records = no_records()
    rows = np.array([3, 3, 4], dtype=np.int64)
    rest, hashes = records.skip(chunk_of(rows, FIRST), rows)
    assert lines_and_numbers(rest) == [(2, 3), (3, 3), (4, 4)]
    assert hashes.tolist() == [3, 3, 4]
    assert records.seen_line(rows).tolist() == [0, 0, 0]
    assert records.seen_on(rows) == 0
