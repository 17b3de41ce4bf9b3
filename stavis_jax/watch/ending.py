"""Ends a run: decides its outcome, its last line and its exit code, and calls the functions that wait for it."""

import contextlib
import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from data_pipelines.runtime.command import TERMINATED_CODE, reported_line
from data_pipelines.runtime.errors import Stopped, UserError, one_line
from data_pipelines.runtime.signals import Terminated
from data_pipelines.runtime.started_as_command import INTERRUPTED_CODE
from stavis_jax.watch.beats import FAILED, FINISHED, INTERRUPTED, STOPPED

LOST_CODE = os.EX_TEMPFAIL  # 75: try again later
SHOW_CURSOR = "\x1b[?25h"


@dataclasses.dataclass(frozen=True)
class Ending:
    """The end of a run.

    Attributes:
      outcome: FINISHED, FAILED, STOPPED (SIGTERM), INTERRUPTED (Ctrl-C), or LOST (a host or a step is missing).
      message: one line; empty if all is well.
      code: the exit code of the process.
      is_told_here: whether this host tells others of it. One host does, the first one that is still there.
    """

    outcome: str
    message: str = ""
    code: int = 0
    is_told_here: bool = True


_hooks: list[Callable[[Ending], None]] = []
_ending = threading.Lock()


def ending_of(error: BaseException | None) -> Ending:
    """Returns the ending that an exception leads to; None is success. It agrees with `command`."""
    if error is None:
        return Ending(FINISHED)
    if isinstance(error, Stopped):
        return Ending(STOPPED, one_line(error), TERMINATED_CODE)
    if isinstance(error, Terminated):
        return Ending(STOPPED, "on request. Run the same command again.", TERMINATED_CODE)
    if isinstance(error, KeyboardInterrupt):
        return Ending(INTERRUPTED, "by Ctrl-C. Run the same command again.", INTERRUPTED_CODE)
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return Ending(FINISHED)
        return Ending(
            FAILED, one_line(error.code).removeprefix("error: "), error.code if type(error.code) is int else 1
        )
    if isinstance(error, UserError):
        return Ending(FAILED, one_line(error), 1)
    return Ending(FAILED, one_line(reported_line(error) or f"{type(error).__name__}: {error}"), 1)


@contextlib.contextmanager
def told(hook: Callable[[Ending], None]) -> Iterator[None]:
    """Calls `hook` if `end_process` ends the process within the block."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def end_process(ending: Ending) -> NoReturn:
    """Prints "error: MESSAGE" and ends the process from any thread, whatever the other threads wait for.

    Nothing is tidied up, since that may wait for a host that is gone.
    """
    if not _ending.acquire(blocking=False):
        while True:  # another thread is ending the process
            time.sleep(1)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a stream that is closed
        if sys.stdout.isatty():
            sys.stdout.write(SHOW_CURSOR)  # a progress bar has hidden it
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"error: {ending.message}", file=sys.stderr, flush=True)
    for hook in list(_hooks):
        with contextlib.suppress(Exception):
            hook(ending)
    os._exit(ending.code)
