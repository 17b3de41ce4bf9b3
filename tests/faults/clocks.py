"""Clocks that go wrong. A process calls one of these functions before its command."""

import itertools
import time

HOUR_S = 3600


def run_backwards() -> None:
    """Makes the time of day go back by an hour with each call."""
    real, looks = time.time, itertools.count()
    time.time = lambda: real() - HOUR_S * next(looks)
    time.time_ns = lambda: int(time.time() * 1e9)
