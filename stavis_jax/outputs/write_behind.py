"""Writes predictions in a background thread, so that encoding overlaps with the network."""

import collections
import concurrent.futures
from types import TracebackType

from stavis_jax.outputs.sinks import Sink
from stavis_jax.prediction.frame_prediction import FramePrediction

MAX_WAITING = 32  # predictions not yet written, 100 kB each


class WriteBehind:
    """Runs a sink in a thread. A later `add` or `finish` raises what the sink's `add` has raised."""

    def __init__(self, sink: Sink):
        self._sink = sink
        self._executor = concurrent.futures.ThreadPoolExecutor(1)
        self._waiting: collections.deque[concurrent.futures.Future] = collections.deque()

    def add(self, prediction: FramePrediction) -> None:
        """Queues a prediction. Waits while `MAX_WAITING` predictions are queued."""
        if len(self._waiting) == MAX_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._executor.submit(self._sink.add, prediction))

    def finish(self) -> None:
        """Waits until all predictions are written and finishes the sink."""
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
