"""The next items of an iterator, made on a thread of its own while the last one is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_END: Final = object()


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same items in the same order; up to `depth` of them are made before they are asked for.

    What the iterator raises is raised here in its place. Nothing runs on when the caller stops.
    """
    beside = ThreadPoolExecutor(1, "ahead")
    try:
        coming = deque(beside.submit(next, items, _END) for _ in range(depth))
        while (item := coming.popleft().result()) is not _END:
            coming.append(beside.submit(next, items, _END))
            yield item  # type: ignore[misc]  # it is no _END
    finally:
        beside.shutdown(cancel_futures=True)
