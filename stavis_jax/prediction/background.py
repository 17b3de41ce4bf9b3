"""Work in a thread beside the network: what comes next is read ahead, what is done is written behind."""

import collections
import concurrent.futures
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

from stavis_jax.outputs.sinks import Sink
from stavis_jax.prediction.frame_prediction import FramePrediction

Item = TypeVar("Item")
_END = object()
WAITING = 32  # predictions not yet written, 100 kB each


def read_ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """The items in order, up to `count` of them made before they are asked for. What making one raises comes here."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        coming = collections.deque(executor.submit(next, items, _END) for _ in range(count))
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(executor.submit(next, items, _END))
                yield item
        finally:
            for future in coming:
                future.cancel()


class WriteBehind:
    """A sink in a thread. An error of its `add` is raised by a later `add`, or by `finish`."""

    def __init__(self, sink: Sink):
        self._sink = sink
        self._executor = concurrent.futures.ThreadPoolExecutor(1)
        self._waiting: collections.deque[concurrent.futures.Future] = collections.deque()

    def add(self, prediction: FramePrediction) -> None:
        """Waits if the thread is far behind."""
        if len(self._waiting) == WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._executor.submit(self._sink.add, prediction))

    def finish(self) -> None:
        """Waits until all is written."""
        while self._waiting:
            self._waiting.popleft().result()
        self._executor.submit(self._sink.finish).result()

    def __enter__(self) -> "WriteBehind":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(cancel_futures=True)
        self._sink.close()
