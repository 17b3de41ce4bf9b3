"""Runs the body of a command: errors become one line on stderr and an exit code, signals end it cleanly."""

import atexit
import contextlib
import functools
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

import absl.logging

from data_pipelines.runtime.errors import (
    FILE_SYSTEM_FAULTS,
    Stopped,
    UserError,
    failed_allocation,
    is_backend_missing,
    is_out_of_memory,
    one_line,
)
from data_pipelines.runtime.signals import Terminated, signals_as_exceptions
from data_pipelines.runtime.standard_streams import flush_streams, prepare_streams
from data_pipelines.runtime.started_as_command import INTERRUPTED_CODE, IS_COMMAND

TERMINATED_CODE = 143  # what a shell reports after SIGTERM


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Decorates the main function of a command.

    A UserError, a full memory and a file that cannot be written end the command with one line on stderr and exit code
    1, without a traceback. SIGTERM ends it with code 143, Ctrl-C with code 130. Log messages and Python warnings become
    lines on stderr; progress messages of libraries are hidden.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        try:
            prepare_streams(IS_COMMAND)
            with _one_line_warnings(), signals_as_exceptions():
                main(*args, **kwargs)
                if IS_COMMAND:
                    flush_streams()
        except UserError as error:
            sys.exit(f"error: {one_line(error)}")
        except Stopped as stopped:
            print(f"stopped: {stopped}", file=sys.stderr)
            _end(TERMINATED_CODE)
        except Terminated:
            print("stopped: on request. Run the same command again.", file=sys.stderr)
            _end(TERMINATED_CODE)
        except (OSError, AssertionError, MemoryError, RuntimeError) as error:
            line = reported_line(error)
            if line is None:
                raise
            sys.exit(f"error: {one_line(line)}")
        except KeyboardInterrupt:
            _end(INTERRUPTED_CODE)
        finally:
            if IS_COMMAND:  # all is done, and Ctrl-C would print a traceback while Python ends
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                with contextlib.suppress(OSError):  # it is known, and Python would report it again
                    flush_streams()

    return wrapped


def reported_line(error: BaseException) -> str | None:
    """Returns the line for an error that no code of this project raised; None if the error is a bug."""
    if isinstance(error, OSError) and error.errno in FILE_SYSTEM_FAULTS:
        return f"{os.fsdecode(error.filename or 'output')}: {error.strerror}. Give a folder that can be written."
    if is_out_of_memory(error):
        advice = "Use smaller batches (--batch-size, or batch_size of --config), fewer --workers, or smaller files."
        return f"memory is full{failed_allocation(error)}. {advice}"
    if is_backend_missing(error):
        said = str(error).partition(" (set JAX_PLATFORMS")[0].rstrip(".")
        fault = f"JAX cannot use it here{f' ({said})' if said else ''}"
        advice = "Unset JAX_PLATFORMS, set it to cpu, or install JAX for this device."
        return f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}: {fault}. {advice}"
    return None


def _end(code: int) -> NoReturn:
    """Ends the process after a signal. Work that libraries have begun in threads of their own may still be running."""
    if IS_COMMAND:  # Python would wait for that work, or crash when it unloads what the work uses
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # it is closed
                stream.flush()
        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    logging.basicConfig(level=logging.WARNING)
    for handler in logging.getLogger().handlers:  # libraries may have added theirs on import
        if type(handler) is logging.StreamHandler or handler is absl.logging.get_absl_handler():
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
