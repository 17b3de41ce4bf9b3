"""Two workers in turn: one at a time, ratios of neighbouring times, errors in one line."""

import itertools
import json

import numpy as np
import pytest

from benchmarks.paired_timing import Pairs, Worker, alternate, disturbance
from benchmarks.worker import Time
from data_pipelines.runtime.errors import UserError

JOBS = """
import json, os, time

def environment(name):
    return lambda: os.environ[name]

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

    def start(name: str, seconds: float) -> Worker:
        return Worker("made_up_jobs:sleeper", {"name": name, "seconds": seconds, "log": str(log)})

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


def test_the_first_result_is_returned_and_closing_ends_the_process(sleepers):
    _, ours, _ = sleepers
    assert ours.first_result == [1.0, 2.0]
    ours.close()
    with pytest.raises(OSError, match="closed"):
        ours.run()


def test_a_worker_that_dies_is_reported(sleepers):
    _, ours, _ = sleepers
    ours._process.kill()
    with pytest.raises(UserError, match="made_up_jobs:sleeper: failed"):
        ours.run()


def test_peak_memory_is_that_of_the_process_alone():
    held = np.ones(2**26)  # the parent's
    with Worker("made_up_jobs:glutton", {"megabytes": 100}) as worker:
        assert 100 * 2**20 < worker.run().peak_bytes < 300 * 2**20 < held.nbytes


def test_environment_reaches_the_process():
    with Worker("made_up_jobs:environment", {"name": "MALLOC_TOP_PAD_"}, {"MALLOC_TOP_PAD_": "4096"}) as worker:
        assert worker.first_result == "4096"


def test_a_job_that_fails_is_one_line():
    with pytest.raises(UserError, match=r"made_up_jobs:broken: failed \(ValueError: no such network\)"):
        Worker("made_up_jobs:broken", {})


def test_ratios_are_those_of_pairs_and_other_programs_are_reported():
    quiet = Pairs([Time(4, 0, 0), Time(9, None, 0)], [Time(2, 0, 0), Time(3, 0, 0)])
    assert quiet.ratios == [2, 3] and quiet.ratio == 2.5 and not disturbance([quiet])
    assert "up to 1.2 cores" in disturbance([quiet, Pairs([Time(1, 0, 0)], [Time(1, 1.2, 0)])])


def test_difference_is_relative_to_the_largest_value():
    assert Pairs([], [], ([1.0, -4.0], [1.0, -5.0])).difference == 0.25


class TimesInTurn:
    """Stands for a worker. other_cores: of its times, one after the other."""

    first_result = None

    def __init__(self, *other_cores):
        self.times = [Time(number, others, 0) for number, others in enumerate(other_cores)]

    def run(self, at_least):
        return self.times.pop(0)


def test_disturbed_pairs_are_measured_again():
    pairs = alternate(TimesInTurn(9, 0, 2, 0, 0), TimesInTurn(9, 0, 0, 0, 0), rounds=3)
    assert [time.seconds for time in pairs.theirs] == [1, 3, 4]  # the first does not count, the third is disturbed
    assert not disturbance([pairs])


def test_on_a_busy_machine_all_pairs_count_and_the_disturbance_is_reported():
    pairs = alternate(TimesInTurn(0, 2, 2, 0, 0), TimesInTurn(0, 0, 0, 0, 1), rounds=2)
    assert len(pairs.ours) == 4
    assert "up to 2.0 cores" in disturbance([pairs])
