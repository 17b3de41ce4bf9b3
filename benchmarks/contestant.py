"""A process that holds one side's job and runs it when told to; `paired.Contestant` starts it.

    python -m benchmarks.contestant MODULE:FUNCTION '{"argument": ...}'

FUNCTION(**arguments) makes the job: a call without arguments that blocks until its work is done, and may return an
array. It is called once before the first reply. Then every line of standard input is a request, and every line of
standard output a reply, in JSON:

    (at the start)       {"ready": true, "device": what MODULE.device() says}
    {"run": seconds}     calls for that long, at least once; {"seconds": of a call, "others": cores that others used}
    {"peak": true}       {"bytes": the most memory this process has had at once}
    {"save": file}       writes what the first call returned, as .npy; {}
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import cores


def main(name: str, arguments: str) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no reply
    module, _, function = name.partition(":")
    module = importlib.import_module(module)
    job = getattr(module, function)(**json.loads(arguments))
    first = job()
    reply = {"ready": True, "device": module.device()}
    while True:
        print(json.dumps(reply), file=replies, flush=True)
        request = sys.stdin.readline()
        if not request:
            return  # whoever started this is done, or gone
        reply = _answer(json.loads(request), job, first)


def _answer(request: dict[str, Any], job: Callable[[], Any], first: Any) -> dict[str, Any]:
    match request:
        case {"run": seconds}:
            return timed(job, seconds)
        case {"peak": _}:
            return {"bytes": peak_bytes()}
        case {"save": file}:
            np.save(file, np.asarray(first))
            return {}
    raise ValueError(f"request {request}: expected run, peak or save")


def timed(job: Callable[[], Any], at_least: float) -> dict[str, float | None]:
    """Mean seconds of a call, of as many as fill `at_least` seconds; and how many cores other programs used meanwhile.

    The latter is None where the system does not tell.
    """
    calls, begin, others = 0, time.perf_counter(), _seconds_of_others()
    while True:
        job()
        calls += 1
        passed = time.perf_counter() - begin
        if passed >= at_least:
            break
    used = None if others is None else min(max(0.0, _seconds_of_others() - others) / passed, cores())
    return {"seconds": passed / calls, "others": used}


def _seconds_of_others() -> float | None:
    """CPU seconds of the whole machine but for this process and its children that have ended.

    None where the system does not tell, or this process has a part of the machine for itself.
    """
    if cores() != os.cpu_count():
        return None
    try:
        user, nice, system, _, _, interrupts, soft, stolen = map(
            int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
    except (OSError, ValueError):
        return None
    ours = sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK") - ours


def peak_bytes() -> int:
    """The most memory this process has had at once."""
    try:  # of this program alone; getrusage also knows what the parent had when it started us
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
