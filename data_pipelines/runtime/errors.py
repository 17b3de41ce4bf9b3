"""Errors shown to users: one line each, without a traceback. Used by both packages."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

FILE_SYSTEM_FAULTS = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.ESTALE, errno.ETIMEDOUT, errno.EXDEV, errno.EOPNOTSUPP, errno.EREMOTEIO),  # of network disks
)
LONGEST_LINE = 1000  # characters: a damaged file may hold a line of millions


class UserError(Exception):
    """An error that the user can fix.

    The message is one line: it names the file or flag, says what is wrong and what to do.
    """


class Stopped(Exception):  # noqa: N818, it is no error
    """The work ended early on request and kept what it had done. The message says how to continue."""


def one_line(error: object) -> str:
    """Returns a message as one printable line of at most LONGEST_LINE characters.

    Control characters and the system's numbers of errors are left out.
    """
    text = re.sub(r"\[Errno -?\d+\] ", "", " ".join(str(error).split()))
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    if len(text) <= LONGEST_LINE:
        return text
    end = LONGEST_LINE // 4  # the end says what to do
    return f"{text[: LONGEST_LINE - end]} [...] {text[-end:]}"


def reason(error: BaseException) -> str:
    """Returns why an operation failed: the system's text, else the library's message, else the name of the class."""
    if isinstance(error, KeyError):  # its message is the key alone
        return f"it lacks {error}"
    return getattr(error, "strerror", None) or one_line(error).rstrip(".") or type(error).__name__


def system_fault(error: BaseException) -> int | None:
    """Returns the errno of a file-system fault that a library reports as text only, or None."""
    return next((number for number in FILE_SYSTEM_FAULTS if os.strerror(number) in str(error)), None)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether Python, NumPy or a JAX device failed to allocate memory."""
    if isinstance(error, MemoryError):
        return True
    return "RESOURCE_EXHAUSTED" in str(error) and system_fault(error) is None  # TensorStore says so of a full disk


def is_backend_missing(error: BaseException) -> bool:
    """Returns whether JAX raised the error because it cannot use a device that JAX_PLATFORMS names."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.endswith("xla_bridge.py")


def failed_allocation(error: BaseException) -> str:
    """Returns what could not be allocated, as " (text)", or an empty string if the error does not say."""
    said = one_line(str(error).removeprefix("RESOURCE_EXHAUSTED: ").partition("\n")[0])[:200].rstrip(".")
    return f" ({said})" if said else ""


@contextlib.contextmanager
def out_of_memory_as_user_error(setting: str, advice: str) -> Iterator[None]:
    """Turns a failed allocation within the block into a UserError that names `setting` and gives `advice`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"{setting}: does not fit into memory{failed_allocation(error)}. {advice}") from error
