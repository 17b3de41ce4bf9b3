"""Runs commands in forks of a process that has imported everything, so that a start takes 0.1 s instead of 4 s.

Each line of standard input is a request, {"start": ...} or {"wait": pid}, and each line of standard output an answer.
A command runs as under `python -m`.
"""

import atexit
import contextlib
import gc
import importlib.util
import json
import os
import resource
import runpy
import signal
import sys
import threading
import time
import traceback
import warnings

IMPORTS = (
    *("data_pipelines.fetch", "data_pipelines.ingest", "data_pipelines.prepare", "data_pipelines.synthesize"),
    *("stavis_jax.experiments.ablation", "stavis_jax.evaluate", "stavis_jax.predict"),
    *("grain", "matplotlib.pyplot", "optax", "scipy.io"),
    *(["torch"] if importlib.util.find_spec("torch") else []),
)
POLL_S = 0.005


def run(request: dict) -> None:
    """Sets up the child process as the request asks, and runs the command."""
    os.setsid()
    for path, stream in ((request["out"], sys.stdout), (request["err"], sys.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), stream.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.default_int_handler if signal_number == signal.SIGINT else signal.SIG_DFL)
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    for limit, soft in request["limits"].items():
        resource.setrlimit(getattr(resource, limit), (soft, resource.getrlimit(getattr(resource, limit))[1]))
    if request["before"]:
        module, _, function = request["before"].partition(":")
        getattr(importlib.import_module(module), function)()
    sys.argv = [request["module"], *request["arguments"]]
    warnings.filterwarnings("ignore", ".*found in sys.modules.*", RuntimeWarning)
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def in_a_child(request: dict) -> int:
    """Runs a request in a child and returns its process id.

    The child ends as Python does, but skips the clean-up of its modules, which takes a second.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        run(request)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait(pid: int, timeout_s: float) -> dict:
    """Waits for a child and returns how it ended. After the timeout, kills it and the processes that it started."""
    deadline, timed_out = time.monotonic() + timeout_s, False
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline and not timed_out:
            timed_out = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(POLL_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # processes that the child left running
    return {
        "code": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out,
        "bytes": usage.ru_maxrss * 1024,
    }


def main() -> None:
    for module in IMPORTS:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # otherwise each child's garbage collector would touch, and so copy, the memory of everything imported
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"ready": len(os.listdir("/proc/self/task"))}), file=answers, flush=True)
    for line in requests:
        request = json.loads(line)
        answer = wait(request["wait"], request["timeout_s"]) if "wait" in request else in_a_child(request["start"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
