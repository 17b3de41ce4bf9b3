"""Reasons of errors, as users read them."""

import pytest

from data_pipelines.runtime.errors import one_line, reason


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("videos"), "it lacks 'videos'"),
        (FileNotFoundError(2, "No such file or directory", "a"), "No such file or directory"),
        (ValueError("1 is\nwrong."), "1 is wrong"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_reason_of_an_error_is_one_plain_line(error, expected):
    assert reason(error) == expected


def test_the_systems_numbers_of_errors_are_left_out():
    damaged = f"weights: cannot be read ({FileNotFoundError(2, 'No such file or directory', 'a')}). Convert again."
    assert one_line(damaged) == "weights: cannot be read (No such file or directory: 'a'). Convert again."
