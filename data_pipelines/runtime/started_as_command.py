"""Ends a command quietly if Ctrl-C arrives while it imports. Imported first, before what takes long."""

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
if IS_COMMAND and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end_at_once)
