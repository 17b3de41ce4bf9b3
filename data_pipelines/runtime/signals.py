"""Raises exceptions on SIGTERM and Ctrl-C, so that unfinished output is removed on the way out."""

import multiprocessing
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from data_pipelines.runtime.started_as_command import end_at_once

TRY_AGAIN_SECONDS = 0.02
IMPATIENT_SECONDS = 1  # a signal that is repeated after this time ends the process at once
LONGEST_DELAY_SECONDS = 10
# An exception within an import may crash compiled modules, and one within the start of a process may lose the process.
_DELAYING = ("<frozen importlib._bootstrap>", str(Path(multiprocessing.__file__).parent))


class Terminated(BaseException):
    """SIGTERM arrived."""


class signals_as_exceptions:  # noqa: N801, used as a function
    """In the `with` block, SIGTERM raises Terminated and Ctrl-C KeyboardInterrupt, whatever libraries do with them.

    An exception that was swallowed by a callback, such as those of the garbage collector, is raised again a moment
    later. An error that a library made of it counts as the exception. Handlers that are installed already are kept, and
    so are all outside the main thread.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._raised: type[BaseException] | None = None
        self._since = 0.0

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, usual in (
            (signal.SIGTERM, (signal.SIG_DFL,)),
            (signal.SIGINT, (signal.default_int_handler, end_at_once)),
        ):
            if signal.getsignal(number) in usual:
                self._before[number] = signal.signal(number, self._stop)
        if self._before:
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._raise)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._raised and isinstance(error, Exception):
            raise self._raised from error

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._raised:
            if time.monotonic() > self._since + IMPATIENT_SECONDS:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            return
        self._raised, self._since = Terminated if number == signal.SIGTERM else KeyboardInterrupt, time.monotonic()
        sys.unraisablehook = _report_other_unraisable
        self._raise(number, frame)

    def _raise(self, _: int, frame: FrameType | None) -> None:
        under_way = sys.exc_info()[1]
        while under_way is not None:
            if isinstance(under_way, Terminated | KeyboardInterrupt):
                return
            under_way = under_way.__context__
        signal.setitimer(signal.ITIMER_REAL, TRY_AGAIN_SECONDS)
        if _is_delayed(frame) and time.monotonic() < self._since + LONGEST_DELAY_SECONDS:
            return
        assert self._raised, "a signal has arrived"
        raise self._raised


def _is_delayed(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(_DELAYING):
            return True
        frame = frame.f_back
    return False


def _report_other_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    if not issubclass(unraisable.exc_type, Terminated | KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
