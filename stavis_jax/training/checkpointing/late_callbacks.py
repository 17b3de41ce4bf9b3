"""Hides tracebacks of TensorStore's callbacks that come after orbax has given up writing a checkpoint."""

import sys
from collections.abc import Callable
from typing import Any


def hide_late_callbacks() -> None:
    """Passes over "Event loop is closed", which TensorStore's threads cannot raise.

    Python prints a traceback for each array. The error that ended the writing is raised anyway.
    """
    if not isinstance(sys.unraisablehook, _Hook):
        sys.unraisablehook = _Hook(sys.unraisablehook)


class _Hook:
    """A hook of Python's for errors that cannot be raised. `otherwise` is the hook for all others."""

    def __init__(self, otherwise: Callable[[Any], Any]):
        self._otherwise = otherwise

    def __call__(self, unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed" or unraisable.object is not None:
            self._otherwise(unraisable)
