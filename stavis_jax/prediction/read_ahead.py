"""Reads items in a background thread, so that decoding a film overlaps with the network."""

import collections
import concurrent.futures
from collections.abc import Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def read_ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Yields the items in order. A thread makes up to `count` of them in advance and passes on what it raises."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        coming: collections.deque[concurrent.futures.Future[Any]] = collections.deque(
            executor.submit(next, items, _END) for _ in range(count)
        )
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(executor.submit(next, items, _END))
                yield item
        finally:
            for future in coming:
                future.cancel()
