"""What a user reads when something is wrong: one line and an exit code. For both packages."""

import contextlib
import errno
import functools
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator

FILE_SYSTEM_FAULTS = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP),
)
LONGEST_LINE = 1000  # characters: a stranger's file may have a line of millions
SIGTERM_CODE = 143  # the shell's
TRY_AGAIN_SECONDS = 0.1


class UserError(Exception):
    """A fault the user can mend. The message is one line: the file or flag, what is wrong, what to do."""


class Stopped(Exception):  # noqa: N818, it is no error
    """The work was asked to end early and kept what is done; the message says how to go on."""


class _Terminated(BaseException):
    """SIGTERM, where no one else answers it: what is half-written is cleared away on the way out, as on Ctrl-C."""


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Makes `main` end on a `UserError` with one line on stderr and exit code 1, without a traceback.

    So it ends on a full memory, and on a file that cannot be written; on SIGTERM with code 143. Warnings of the log
    become lines on stderr too; libraries' progress reports stay out of them.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        try:
            with _warnings_shown_plainly(), _sigterm_raises():
                main(*args, **kwargs)
        except UserError as error:
            sys.exit(f"error: {one_line(error)}")
        except Stopped as stopped:
            print(f"stopped: {stopped}", file=sys.stderr)
            sys.exit(SIGTERM_CODE)
        except _Terminated:
            print("stopped: on request. Run the same command again.", file=sys.stderr)
            sys.exit(SIGTERM_CODE)
        except OSError as error:
            if error.errno not in FILE_SYSTEM_FAULTS:
                raise
            place = os.fsdecode(error.filename or "output")
            sys.exit(f"error: {one_line(f'{place}: {error.strerror}. Give a folder that can be written.')}")
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            advice = "Use smaller batches (--batch-size, or batch_size of --config), fewer --workers, or smaller files."
            sys.exit(f"error: the memory is full{memory_fault(error)}. {advice}")
        except KeyboardInterrupt:
            sys.exit(130)  # the shell's code for Ctrl-C

    return wrapped


def one_line(fault: object) -> str:
    """A message as a terminal can show it: one line, not longer than anyone would read, no control characters."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(str(fault).split()))
    if len(text) <= LONGEST_LINE:
        return text
    end = LONGEST_LINE // 4  # where it says what to do
    return f"{text[: LONGEST_LINE - end]} [...] {text[-end:]}"


def reason(error: BaseException) -> str:
    """What an error says went wrong: the system's words, the library's, or at least its kind."""
    return getattr(error, "strerror", None) or one_line(error).rstrip(".") or type(error).__name__


def system_fault(error: BaseException) -> int | None:
    """The number of the system's fault behind an error, a full disk for one: libraries tell it as text only."""
    return next((number for number in FILE_SYSTEM_FAULTS if os.strerror(number) in str(error)), None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or a device of JAX could not get the memory it asked for."""
    if isinstance(error, MemoryError):
        return True
    return "RESOURCE_EXHAUSTED" in str(error) and system_fault(error) is None  # TensorStore says so of a full disk


def memory_fault(error: BaseException) -> str:
    """ " (what could not be got)", as far as the error tells."""
    said = one_line(str(error).removeprefix("RESOURCE_EXHAUSTED: ").partition("\n")[0])[:200].rstrip(".")
    return f" ({said})" if said else ""


@contextlib.contextmanager
def out_of_memory_names(setting: str, advice: str) -> Iterator[None]:
    """Makes a memory that gets full within the block a UserError: `setting`, what could not be got, `advice`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"{setting}: does not fit into the memory{memory_fault(error)}. {advice}") from error


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Unless someone else answers SIGTERM already. Only a main thread can."""
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
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # nobody asked
            raise
        raise _Terminated from error  # raised within a library, it came out as an error of the library's
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    """Raises, and again a moment later unless that is on its way: what a callback of the garbage collector raises, or
    one of a library's, is swallowed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one does not wait for the clearing away
    sys.unraisablehook = _tell_of_others
    under_way = sys.exc_info()[1]
    while under_way is not None:
        if isinstance(under_way, _Terminated):
            return
        under_way = under_way.__context__
    signal.setitimer(signal.ITIMER_REAL, TRY_AGAIN_SECONDS)
    raise _Terminated


def _tell_of_others(unraisable: object) -> None:
    if unraisable.exc_type is not _Terminated:
        sys.__unraisablehook__(unraisable)


@contextlib.contextmanager
def _warnings_shown_plainly() -> Iterator[None]:
    """Those of the log, and those that libraries give by `warnings`."""
    logging.basicConfig(level=logging.WARNING)
    for handler in logging.getLogger().handlers:  # libraries may have put theirs there when imported
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(_PlainWarnings())
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)


class _PlainWarnings(logging.Formatter):
    """One line a warning, as the errors are: names of files are in both."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.name == "py.warnings":  # "file:line: Category: text", and the line of code
            text = re.sub(r"^.*?:\d+: \w+: ", "", text).partition("\n")[0]
        return f"warning: {one_line(text)}"
