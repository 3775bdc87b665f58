"""Let a thread produce the next items of an iterator while the last one is processed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_END: Final = object()


def prefetched(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Yield the same items in the same order; up to `depth` of them are produced ahead.

    An exception of the iterator is raised here in its place. Nothing runs on when the caller stops.
    """
    executor = ThreadPoolExecutor(1, "prefetch")
    try:
        pending = deque(executor.submit(next, items, _END) for _ in range(depth))
        while (item := pending.popleft().result()) is not _END:
            pending.append(executor.submit(next, items, _END))
            yield item  # type: ignore[misc]  # it is no _END
    finally:
        executor.shutdown(cancel_futures=True)
