"""Writes predictions in a background thread, so that encoding overlaps with the network."""

import collections
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterator

from stavis_jax.prediction.frame_prediction import FramePrediction

MAX_WAITING = 32  # predictions not yet written, 100 kB each


@contextlib.contextmanager
def write_behind(write: Callable[[FramePrediction], None]) -> Iterator[Callable[[FramePrediction], None]]:
    """Yields a function that calls `write` in a thread, in order. All is written when the block ends normally.

    What `write` raises is raised by a later call or at the end of the block. A call waits while `MAX_WAITING`
    predictions are queued.
    """
    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:

        def write_later(prediction: FramePrediction) -> None:
            if len(waiting) == MAX_WAITING:
                waiting.popleft().result()
            waiting.append(executor.submit(write, prediction))

        try:
            yield write_later
            while waiting:
                waiting.popleft().result()
        finally:
            executor.shutdown(cancel_futures=True)
