"""The film commands are timed in turn, and their times are printed beside that of the plain prediction."""

import re

import pytest

from benchmarks import film_commands
from data_pipelines.runtime.errors import UserError


def test_ratios_are_to_the_plain_prediction_of_the_same_round(monkeypatch, tmp_path, capsys):
    timed = []

    def seconds_of(line, film):
        timed.append(line)
        slow = 100 if len(timed) <= len(film_commands.COMMANDS) else 1  # the round that compiles
        return slow * (4.0 if line.startswith("reframe") else 2.0)

    monkeypatch.setattr(film_commands, "seconds_of", seconds_of)
    film_commands.main([str(tmp_path / "film.mp4"), "--rounds", "3"])
    assert timed == list(film_commands.COMMANDS) * 4
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"npz +2\.0 s  x 1\.00", lines[0]) and "x 2.00 (2.00 to 2.00)" in lines[-1]


def test_a_command_that_fails_is_named(tmp_path):
    with pytest.raises(UserError, match="predict: failed: error: .*missing.mp4"):
        film_commands.seconds_of("predict", tmp_path / "missing.mp4")
