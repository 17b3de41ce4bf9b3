"""Ignores answers of TensorStore that come after orbax has failed. Python would print a traceback of each.

Where one array of a checkpoint is damaged, or the disk is full, orbax raises at once and closes its event loop. The
threads that read or write the other arrays then cannot report to the loop, and its unfinished tasks raise another error
when they are freed. No code can catch these, and nothing is lost by them.
"""

import sys
from collections.abc import Callable
from typing import Any


def ignore_late_answers() -> None:
    """Ignores them from now on, in this process. Other errors that no code can catch are shown as before."""
    if not isinstance(sys.unraisablehook, _WithoutLateAnswers):
        sys.unraisablehook = _WithoutLateAnswers(sys.unraisablehook)


class _WithoutLateAnswers:
    """Passes all other errors to the hook `shown`."""

    def __init__(self, shown: Callable[[Any], Any]):
        self._shown = shown

    def __call__(self, unraisable: Any) -> None:
        error = unraisable.exc_value
        is_late = isinstance(error, RuntimeError) and str(error) == "Event loop is closed"
        is_unfinished = type(error) is Exception and isinstance(error.__cause__, GeneratorExit)
        if not (is_late or is_unfinished):
            self._shown(unraisable)
