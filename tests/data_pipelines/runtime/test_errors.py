"""Reasons of errors, as users read them."""

import pytest

from data_pipelines.runtime.errors import reason


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
