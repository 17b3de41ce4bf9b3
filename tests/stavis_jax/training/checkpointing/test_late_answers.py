"""What comes after a failed restore is not reported; other errors are."""

import sys

import pytest

from stavis_jax.training.checkpointing.late_answers import ignore_late_answers


class FailsWhenFreed:
    """Raises an error where no code can catch it."""

    def __init__(self, error: Exception):
        self.error = error

    def __del__(self):
        raise self.error


def caused_by(cause: BaseException) -> Exception:
    error = Exception("Encountered error while reading array index")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_shown"),
    [
        (RuntimeError("Event loop is closed"), False),
        (RuntimeError("else"), True),
        (ValueError("Event loop"), True),
        (caused_by(GeneratorExit()), False),
        (caused_by(ValueError()), True),
    ],
)
def test_only_what_is_left_of_a_failed_restore_is_ignored(error, is_shown, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_value))
    ignore_late_answers()
    ignore_late_answers()  # of the next training
    FailsWhenFreed(error)
    assert seen == ([error] if is_shown else [])


def test_they_are_ignored_after_another_hook_has_been_set(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    ignore_late_answers()
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    ignore_late_answers()
    FailsWhenFreed(RuntimeError("Event loop is closed"))
    assert not seen
