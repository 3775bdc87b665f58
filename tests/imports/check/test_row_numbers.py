"""What is kept of each row: the same answers in memory and in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from imports.check import row_numbers as module
from imports.check.across_rows import duplicates
from imports.check.row_numbers import RowNumbers


def rows(keys: list[int], lines: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"line": lines, "key_hash": keys}, schema={"line": pl.Int64, "key_hash": pl.Int64}
    )


@pytest.fixture
def many() -> list[pl.DataFrame]:
    """Fifty chunks of a hundred rows, about a third of them with a key that came before."""
    random = np.random.default_rng(7)
    keys = random.integers(-4_000, 4_000, 5_000).tolist()
    return [rows(keys[at : at + 100], list(range(at + 2, at + 102))) for at in range(0, 5_000, 100)]


def filled(chunks: list[pl.DataFrame], directory: Path | None) -> RowNumbers:
    numbers = RowNumbers(directory)
    for chunk in chunks:
        numbers.add(chunk)
    return numbers


@pytest.mark.parametrize("held", [100, 700, 4_999, 5_000, 10_000])
def test_repeated_keys_are_the_same_in_files_and_in_memory(
    many: list[pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    expected = duplicates(filled(many, None), ["Id"])
    monkeypatch.setattr(module, "_FEW", 1_000)  # parts in memory, too
    monkeypatch.setattr(module, "_HELD", held)
    numbers = filled(many, tmp_path)
    assert numbers.is_split == (held <= 5_000)
    for _again in range(2):
        repeated = duplicates(numbers, ["Id"])
        assert expected is not None
        assert repeated is not None
        assert repeated.lines.tolist() == expected.lines.tolist()
        assert repeated.other.tolist() == expected.other.tolist()
    asked = np.array([1, 2, 3_000, 5_001, 5_002])
    assert numbers.has(asked).tolist() == [False, True, True, True, False]


def test_what_is_held_in_memory_stays_small(
    many: list[pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HELD", 500)
    numbers = RowNumbers(tmp_path)
    for chunk in many:
        numbers.add(chunk)
        assert sum(keys.size for keys in numbers.keys) < 500
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert on_disk == 5_000 * 12


def test_a_type_that_refers_to_itself_keeps_the_files_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HELD", 2)
    numbers = RowNumbers(tmp_path)
    for key in (5, 3, 4):
        numbers.add(rows([key], [key]).with_columns(pl.lit(1, pl.Int64).alias("self:Parent")))
    assert numbers.joined()[0].tolist() == [5, 3, 4]
    assert list(tmp_path.iterdir()) == []


def test_nothing_gathered_is_nothing_repeated(tmp_path: Path) -> None:
    assert duplicates(RowNumbers(tmp_path), ["Id"]) is None
