"""Seconds of a call on a device that works asynchronously."""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Seconds(NamedTuple):
    """Seconds of one call: the median of the rounds, the shortest and the longest."""

    median: float
    shortest: float
    longest: float

    @property
    def spread(self) -> float:
        """Returns the range of the rounds divided by their median."""
        return (self.longest - self.shortest) / self.median


def seconds_of(call: Callable[[], Any], wait: Callable[[Any], Any], total: float = 1.5, rounds: int = 5) -> Seconds:
    """Times a call in rounds that take `total` seconds together, after two calls to warm up.

    The calls of a round do not wait for one another, as in a training. If the second call takes longer than `total`, it
    is the only one that counts.

    Args:
      call: starts the work and returns its result.
      wait: takes a result, and returns when the device has computed it.
    """
    wait(call())
    begin = time.perf_counter()
    wait(call())
    second = time.perf_counter() - begin
    if second > total:
        return Seconds(second, second, second)
    calls = max(1, math.ceil(total / rounds / second))
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(calls):
            result = call()
        wait(result)
        times.append((time.perf_counter() - begin) / calls)
    return Seconds(statistics.median(times), min(times), max(times))
