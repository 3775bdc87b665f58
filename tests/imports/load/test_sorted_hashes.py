"""A set of hashes gives the same answers in memory and in files, and takes no memory in files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imports.load import sorted_hashes
from imports.load.sorted_hashes import sort_hashes
from tests.sizes import scaled

LEAST, MOST = -(2**63), 2**63 - 1
numbers = st.integers(LEAST, MOST) | st.integers(-40, 40) | st.sampled_from([LEAST, MOST])


@given(
    batches=st.lists(st.lists(numbers, max_size=40), max_size=6),
    asked=st.lists(numbers, max_size=40),
    in_files=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_it_finds_what_was_put_in_and_nothing_else(
    batches: list[list[int]],
    asked: list[int],
    in_files: bool,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sorted_hashes, "_MOST_IN_MEMORY", 10 if in_files else 1_000)
    monkeypatch.setattr(sorted_hashes, "_PIECE", 512)  # a page
    directory = tmp_path_factory.mktemp("hashes")
    members = sorted({number for batch in batches for number in batch})
    hashes = sort_hashes((np.array(batch, dtype=np.int64) for batch in batches), directory)
    assert hashes.values.tolist() == members
    queries = sorted(asked + members[::2])
    at, hit = hashes.find(np.array(queries, dtype=np.int64))
    assert hit.tolist() == [number in members for number in queries]
    assert [members[place] for place in at[hit].tolist()] == [n for n in queries if n in members]


@pytest.mark.parametrize("held", [1 << 10, 1 << 20], ids=["files", "memory"])
def test_many_pieces_are_searched_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(sorted_hashes, "_MOST_IN_MEMORY", held)
    monkeypatch.setattr(sorted_hashes, "_PIECE", 512)
    random = np.random.default_rng(7)
    there = random.integers(LEAST, MOST, 20_000)
    hashes = sort_hashes(np.array_split(there, 30), tmp_path)
    assert (hashes.mapped is not None) == (held == 1 << 10)
    assert [path.name for path in tmp_path.iterdir()] == (["hashes"] if hashes.mapped else [])
    queries = np.sort(np.concatenate([there[:5_000], random.integers(LEAST, MOST, 5_000)]))
    at, hit = hashes.find(queries)
    assert hit.tolist() == np.isin(queries, there).tolist()
    assert hashes.values[at[hit]].tolist() == queries[hit].tolist()


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from imports.load import sorted_hashes

directory, batches, number, sorted_hashes._MOST_IN_MEMORY = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(7)
some = lambda number: random.integers(-(2**63), 2**63 - 1, number)
hashes = sorted_hashes.sort_hashes((some(number) for _ in range(batches)), Path(directory))
for _ in range(20):
    at, hit = hashes.find(np.sort(some(50_000)))
print(hashes.size, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_four_times_as_many_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    number = scaled(1 << 18, 1 << 20)
    for batches in (4, 16):
        directory = tmp_path / str(batches)
        directory.mkdir()
        process = subprocess.run(
            [sys.executable, "-c", PEAK, directory, *map(str, (batches, number, 2 * number))],
            capture_output=True,
            text=True,
            check=True,
        )
        size, peak = map(int, process.stdout.split())
        assert size > batches * number * 0.99
        peaks.append(peak / 1024)
    small, large = peaks
    assert large - small < scaled(5, 20)  # MiB; the hashes alone are 24 or 96 MiB more
