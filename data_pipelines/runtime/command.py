"""Runs the body of a command: errors become one line on stderr and an exit code, signals end it cleanly."""

import contextlib
import functools
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from data_pipelines.runtime.errors import (
    FILE_SYSTEM_FAULTS,
    Stopped,
    UserError,
    failed_allocation,
    is_out_of_memory,
    one_line,
)

INTERRUPTED_CODE = 130  # what a shell reports after Ctrl-C
TERMINATED_CODE = 143  # what a shell reports after SIGTERM
TRY_AGAIN_SECONDS = 0.1


class _Terminated(BaseException):
    """SIGTERM arrived. Raised like KeyboardInterrupt, so that unfinished output is removed on the way out."""


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Decorates the main function of a command.

    A UserError, a full memory and a file that cannot be written end the command with one line on stderr and exit code
    1, without a traceback. SIGTERM ends it with code 143, Ctrl-C with code 130. Log messages and Python warnings become
    lines on stderr; progress messages of libraries are hidden.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        try:
            with _one_line_warnings(), _sigterm_raises():
                main(*args, **kwargs)
        except UserError as error:
            sys.exit(f"error: {one_line(error)}")
        except Stopped as stopped:
            print(f"stopped: {stopped}", file=sys.stderr)
            sys.exit(TERMINATED_CODE)
        except _Terminated:
            print("stopped: on request. Run the same command again.", file=sys.stderr)
            sys.exit(TERMINATED_CODE)
        except OSError as error:
            if error.errno not in FILE_SYSTEM_FAULTS:
                raise
            place = os.fsdecode(error.filename or "output")
            sys.exit(f"error: {one_line(f'{place}: {error.strerror}. Give a folder that can be written.')}")
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            advice = "Use smaller batches (--batch-size, or batch_size of --config), fewer --workers, or smaller files."
            sys.exit(f"error: memory is full{failed_allocation(error)}. {advice}")
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED_CODE)

    return wrapped


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Raises _Terminated on SIGTERM, unless a handler is already installed. Works in the main thread only."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    alarm = signal.signal(signal.SIGALRM, _terminate)
    try:
        yield
    except Exception as error:
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # SIGTERM has not arrived
            raise
        raise _Terminated from error  # a library turned _Terminated into an error of its own
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    """Raises _Terminated, and again a moment later if it was swallowed by a callback of the garbage collector or of a
    library."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second SIGTERM ends the process at once
    sys.unraisablehook = _report_other_unraisable
    under_way = sys.exc_info()[1]
    while under_way is not None:
        if isinstance(under_way, _Terminated):
            return
        under_way = under_way.__context__
    signal.setitimer(signal.ITIMER_REAL, TRY_AGAIN_SECONDS)
    raise _Terminated


def _report_other_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    if unraisable.exc_type is not _Terminated:
        sys.__unraisablehook__(unraisable)


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    logging.basicConfig(level=logging.WARNING)
    for handler in logging.getLogger().handlers:  # libraries may have added theirs on import
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(_OneLineWarnings())
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)


class _OneLineWarnings(logging.Formatter):
    """Formats a log record or Python warning as "warning: text" on one line."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.name == "py.warnings":  # "file:line: Category: text", then the source line
            text = re.sub(r"^.*?:\d+: \w+: ", "", text).partition("\n")[0]
        return f"warning: {one_line(text)}"
