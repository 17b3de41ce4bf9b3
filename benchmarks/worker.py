"""Runs one side of a measurement in a process of its own. `paired_timing.Worker` starts it and talks to it.

    python -m benchmarks.worker PIPE MODULE:FUNCTION '{"argument": ...}'

FUNCTION(**arguments) returns the job: a callable that blocks until its work is done. The worker calls the job once and
sends what it returned. Then it answers each request, a number of seconds, with a Time.
"""

import contextlib
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import cores


class Time(NamedTuple):
    """Mean seconds of a call, the cores that other programs used meanwhile, and the worker's peak memory so far.

    other_cores is None where the system does not say.
    """

    seconds: float
    other_cores: float | None
    peak_bytes: int


def main(pipe: str, name: str, arguments: str) -> None:
    connection = Connection(int(pipe))
    module, _, function = name.partition(":")
    job = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    connection.send(job())
    with contextlib.suppress(EOFError):  # the parent has closed the pipe
        while True:
            connection.send(tuple(measure(job, connection.recv())))  # the parent has no __main__.Time


def measure(job: Callable[[], Any], at_least: float) -> Time:
    """Calls the job once or more, until `at_least` seconds have passed."""
    calls, begin, others = 0, time.perf_counter(), _cpu_seconds_of_others()
    passed = 0.0
    while not calls or passed < at_least:
        job()
        calls, passed = calls + 1, time.perf_counter() - begin
    used = None if others is None else min(max(0.0, _cpu_seconds_of_others() - others) / passed, cores())
    return Time(passed / calls, used, _peak_bytes())


def _cpu_seconds_of_others() -> float | None:
    """Returns the CPU seconds that all other programs have used since the machine started.

    Children of this process count as others until they end. Returns None where the system does not say, and where
    this process may use only some of the cores.
    """
    if cores() != os.cpu_count():
        return None
    try:
        user, nice, system, _, _, interrupts, soft, stolen = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    except (OSError, ValueError):
        return None
    ticks = sum(map(int, (user, nice, system, interrupts, soft, stolen)))
    return ticks / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def _peak_bytes() -> int:
    """Returns the most memory that this process has used at once."""
    try:  # this program alone; getrusage includes the parent's memory at the start
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
