"""Processes that work in turn: only one at a time, ratios of neighbouring times, faults in one line."""

import itertools
import json

import numpy as np
import pytest

from benchmarks.paired import Contestant, Pairs, Time, alternate, disturbance
from data_pipelines.runtime.errors import UserError

JOBS = """
import json, os, time

def device():
    return {"kind": "made up", "malloc": os.environ.get("MALLOC_TOP_PAD_", "")}

def sleeper(name, seconds, log):
    print("libraries print")
    def job():
        begin = time.monotonic()
        time.sleep(seconds)
        with open(log, "a") as file:
            print(json.dumps([name, begin, time.monotonic()]), file=file)
        return [1.0, 2.0]
    return job

def glutton(megabytes):
    return lambda: len(b"x" * (megabytes * 2**20))

def broken():
    raise ValueError("no such network")
"""


@pytest.fixture(autouse=True)
def made_up_jobs(tmp_path, monkeypatch):
    (tmp_path / "made_up_jobs.py").write_text(JOBS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.fixture
def sleepers(tmp_path):
    log = tmp_path / "log"

    def start(name: str, seconds: float) -> Contestant:
        return Contestant("made_up_jobs:sleeper", {"name": name, "seconds": seconds, "log": str(log)})

    with start("theirs", 0.03) as theirs, start("ours", 0.01) as ours:
        log.write_text("")  # without the first calls
        yield theirs, ours, log


def test_sides_take_turns_and_never_work_at_once(sleepers):
    theirs, ours, log = sleepers
    pairs = alternate(theirs, ours, rounds=2)
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(end <= begin for (_, _, end), (_, begin, _) in itertools.pairwise(calls))
    names = [name for name, _, _ in calls]
    assert names[:6] == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]  # the first two do not count
    assert len(pairs.ratios) == (len(names) - 2) // 2 >= 2
    assert min(time.seconds for time in pairs.theirs) >= 0.03 and min(time.seconds for time in pairs.ours) >= 0.01


def test_a_time_is_the_mean_of_calls_that_fill_the_window(sleepers):
    _, ours, log = sleepers
    seconds = ours.run(at_least=0.1).seconds
    durations = [end - begin for _, begin, end in map(json.loads, log.read_text().splitlines())]
    assert np.mean(durations) <= seconds  # which also holds what is around the calls
    assert len(durations) * seconds >= 0.1 > sum(durations[:-1])


def test_a_first_result_comes_over_and_the_process_ends_with_the_context(sleepers):
    _, ours, _ = sleepers
    assert ours.device["kind"] == "made up"
    np.testing.assert_array_equal(ours.first_result(), [1.0, 2.0])
    ours.close()
    with pytest.raises((UserError, ValueError)):
        ours.run()


def test_peak_memory_is_that_of_the_process_alone():
    held = np.ones(2**26)  # the parent's
    with Contestant("made_up_jobs:glutton", {"megabytes": 100}) as contestant:
        assert 100 * 2**20 < contestant.peak_bytes() < 300 * 2**20 < held.nbytes


def test_environment_reaches_the_process():
    arguments = {"megabytes": 1}
    with Contestant("made_up_jobs:glutton", arguments, {"MALLOC_TOP_PAD_": "4096"}) as contestant:
        assert contestant.device["malloc"] == "4096"


def test_a_job_that_fails_is_one_line():
    with pytest.raises(UserError, match=r"made_up_jobs:broken: failed \(ValueError: no such network\)"):
        Contestant("made_up_jobs:broken", {})


def test_ratios_are_of_pairs_and_other_programs_are_told_of():
    quiet = Pairs([Time(4, 0), Time(9, 0)], [Time(2, 0), Time(3, 0)])
    assert quiet.ratios == [2, 3] and quiet.ratio == 2.5 and not disturbance(quiet)
    assert "up to 1.2 cores" in disturbance(quiet, Pairs([Time(1, 0)], [Time(1, 1.2)]))
