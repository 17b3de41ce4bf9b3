"""Settings of a command's process that must precede its imports.

Ctrl-C ends the command quietly while it imports. Pictures are drawn without a window, whatever MPLBACKEND names:
Jupyter sets it to a backend of its own, and matplotlib refuses to be imported where that is missing.
"""

import os
import signal
import sys
from pathlib import Path

INTERRUPTED_CODE = 130  # what a shell reports after Ctrl-C


def end_at_once(*_: object) -> None:
    """Answers a signal. An exception would become a traceback, or an error of the module that is being imported."""
    os._exit(INTERRUPTED_CODE)


def _is_command(program: str) -> bool:
    """Returns whether this is `python -m module`, which Python is still looking for, or one of the console scripts."""
    return program == "-m" or Path(program).name.startswith("stavis-")


IS_COMMAND = _is_command((sys.argv or [""])[0])
if IS_COMMAND:
    os.environ["MPLBACKEND"] = "agg"
if IS_COMMAND and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end_at_once)
