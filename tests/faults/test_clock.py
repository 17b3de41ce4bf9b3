"""A clock that runs back and files from the future change neither progress nor what a command skips."""

import os
import time

import pytest
from bad_input import Place
from jobs import JOBS, content

YEAR_S = 365 * 86_400


@pytest.mark.slow
@pytest.mark.parametrize("command", list(JOBS))
def test_a_clock_that_runs_back_changes_nothing(command, commands, supplies, undisturbed, tmp_path, tally):
    tally.fault(command, "clock that runs back")
    job, place = JOBS[command], Place(tmp_path, supplies)
    ended = commands.run(job.module, *job.flags(place), before="clocks:run_backwards")
    assert ended.code == 0, ended
    assert content(place.output) == undisturbed(command).content


def test_raw_data_of_the_future_are_prepared_and_changes_noticed(commands, supplies, tmp_path, tally):
    """A finished film is reused if its files are unchanged, whatever their times are."""
    tally.fault("prepare", "files from the future")
    place = Place(tmp_path, supplies)
    raw = place.copy("raw")
    for path in raw.rglob("*"):
        os.utime(path, (time.time() + YEAR_S,) * 2)
    flags = ["--data", raw, "--output", place.output, "--size", 8, "--workers", 1]
    frame = raw / "video_frames" / "Mine" / "two" / "img_00002.jpg"
    good = frame.read_bytes()
    frame.write_bytes(b"")
    os.utime(frame, (time.time() - YEAR_S,) * 2)
    assert "img_00002.jpg: not a readable picture" in commands.run(JOBS["prepare"].module, *flags).error
    frame.write_bytes(good)
    ended = commands.run(JOBS["prepare"].module, *flags, before="clocks:run_backwards")
    assert ended.code == 0, ended
    assert "1 of 3 films were finished by an earlier run" in ended.err
