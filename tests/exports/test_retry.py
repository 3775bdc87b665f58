"""Seed 000's ladder, as numbers."""

from __future__ import annotations

import itertools

import pytest

from exports import retry


def test_there_are_ten_retries_from_20_to_3600_seconds() -> None:
    waits = [retry.wait(number) for number in range(1, 11)]
    assert waits == [20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert retry.wait(11) is None
    assert retry.MOST_ATTEMPTS == 11


def test_it_gives_up_after_some_three_and_a_half_hours() -> None:
    assert sum(retry.WAITS) == 12_300
    assert list(itertools.accumulate(retry.WAITS))[:4] == [20, 60, 140, 300]


def test_no_attempt_has_no_wait() -> None:
    with pytest.raises(ValueError, match="0 attempts"):
        retry.wait(0)
