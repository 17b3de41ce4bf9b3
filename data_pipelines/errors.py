"""What a user reads when something is wrong: one line and an exit code. For both packages."""

import errno
import functools
import logging
import sys
from collections.abc import Callable

FILE_SYSTEM_FAULTS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)


class UserError(Exception):
    """A fault the user can mend. The message is one line: the file or flag, what is wrong, what to do."""


class Stopped(Exception):  # noqa: N818, it is no error
    """The work was asked to end early and kept what is done; the message says how to go on."""


def command(main: Callable[..., None]) -> Callable[..., None]:
    """Makes `main` end on a `UserError` with one line on stderr and exit code 1, without a traceback.

    Warnings of the log become lines on stderr too; libraries' progress reports stay out of them.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> None:
        _show_warnings_plainly()
        try:
            main(*args, **kwargs)
        except UserError as error:
            sys.exit("error: " + " ".join(str(error).split()))
        except Stopped as stopped:
            print(f"stopped: {stopped}", file=sys.stderr)
            sys.exit(143)  # the shell's code for SIGTERM
        except OSError as error:
            if error.errno not in FILE_SYSTEM_FAULTS:
                raise
            sys.exit(f"error: {error.filename or 'output'}: {error.strerror}. Give a folder that can be written.")
        except KeyboardInterrupt:
            sys.exit(130)  # the shell's code for Ctrl-C

    return wrapped


def _show_warnings_plainly() -> None:
    logging.basicConfig(level=logging.WARNING)
    for handler in logging.getLogger().handlers:  # libraries may have put theirs there when imported
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(logging.Formatter("warning: %(message)s"))
