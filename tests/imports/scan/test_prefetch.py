"""Items that another thread produces before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from imports.scan.prefetch import prefetched


def test_it_gives_the_same_items_in_the_same_order():
    assert list(prefetched(iter(range(100)))) == list(range(100))
    assert list(prefetched(iter([]))) == []


def test_it_makes_no_more_items_than_it_may_before_they_are_asked_for():
    produced: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            produced.append(number)
            yield number

    coming = prefetched(items(), depth=3)
    assert next(coming) == 0
    coming.close()
    assert len(produced) <= 4


def test_what_the_iterator_raises_comes_in_its_place():
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("the third")

    coming = prefetched(items())
    assert next(coming) == 1
    with pytest.raises(LookupError, match="the third"):
        next(coming)


def test_it_leaves_no_thread_behind():
    before = threading.active_count()
    coming = prefetched(iter(range(100)))
    next(coming)
    coming.close()
    assert threading.active_count() == before
