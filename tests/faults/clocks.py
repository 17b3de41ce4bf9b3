"""Clocks that cannot be trusted, for a process to begin with."""

import itertools
import time

HOUR_S = 3600


def run_backwards() -> None:
    """Every look at the time of day is an hour before the last one."""
    real, looks = time.time, itertools.count()
    time.time = lambda: real() - HOUR_S * next(looks)
    time.time_ns = lambda: int(time.time() * 1e9)
