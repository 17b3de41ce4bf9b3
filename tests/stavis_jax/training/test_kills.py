"""A training that is killed at random moments or asked to stop ends, once restarted, as if it had never stopped."""

import json
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from small_training import STEPS_PER_EPOCH, log_of

from stavis_jax.training.journal import SPEED

KILLS, KILLS_IN_WRITING = 10, 4
SETTINGS = {"epochs": 6, "save_every_steps": 2}
TIMEOUT_S = 120
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Returns the folder of the training that is never stopped."""
    return tmp_path_factory.mktemp("whole") / "run"


@pytest.fixture
def uninterrupted(whole, start_small):
    """Returns the journal and the last weights of that training, which runs once."""
    if not whole.exists():
        run_to_the_end(start_small, whole)
    return outcome(whole)


def run_to_the_end(start_small, directory: Path, settings: dict = SETTINGS) -> None:
    process = start_small(directory, **settings)
    process.join(TIMEOUT_S)
    assert process.exitcode == 0, stderr(directory)


def outcome(directory: Path) -> tuple[list[dict], dict[str, np.ndarray]]:
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    with np.load(directory / "last.npz") as weights:
        return [{key: line[key] for key in line.keys() - set(SPEED)} for line in lines], dict(weights)


def stderr(directory: Path) -> str:
    return log_of(directory).read_text()


def assert_same(ours, theirs) -> None:
    """Checks equality to the bit."""
    assert ours[0] == theirs[0]
    assert ours[1].keys() == theirs[1].keys()
    for name, array in theirs[1].items():
        np.testing.assert_array_equal(ours[1][name], array, err_msg=name)


def steps(directory: Path) -> set[int]:
    """Returns the steps of the checkpoints that are whole."""
    folder = directory / "checkpoints"
    return {int(path.name) for path in folder.iterdir() if path.name.isdigit()} if folder.is_dir() else set()


def in_writing(directory: Path) -> list[Path]:
    """Returns orbax's temporary folders."""
    folder = directory / "checkpoints"
    return [path for path in folder.iterdir() if "tmp" in path.name] if folder.is_dir() else []


def wait_for(condition, process) -> bool:
    """Returns whether the condition came true before the process ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if process.exitcode is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return True


def test_killed_ten_times_it_ends_as_if_it_never_was(start_small, uninterrupted, tmp_path):
    directory, moments = tmp_path / "killed", random.Random(4)
    kinds = ["writing"] * KILLS_IN_WRITING + ["any"] * (KILLS - KILLS_IN_WRITING)
    moments.shuffle(kinds)
    killed = left_unfinished = 0
    for kind in kinds:
        before, old = steps(directory), {path.name for path in in_writing(directory)}
        process = start_small(directory, **SETTINGS)

        def writes(old=old) -> bool:
            return any(path.name not in old for path in in_writing(directory))

        if kind == "writing":
            going_on = wait_for(writes, process)
            time.sleep(moments.uniform(0, 0.01))
        else:  # somewhere after its first checkpoint or, one time in three, in its start
            going_on = moments.random() < 1 / 3 or wait_for(lambda before=before: steps(directory) - before, process)
            time.sleep(moments.uniform(0, 0.5))
        assert going_on, stderr(directory)
        unfinished = writes()
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        left_unfinished += unfinished and kind == "writing" and writes()
    assert killed == KILLS
    assert left_unfinished >= 3
    run_to_the_end(start_small, directory)
    assert_same(outcome(directory), uninterrupted)


def test_asked_to_stop_it_loses_no_step(start_small, uninterrupted, tmp_path):
    directory = tmp_path / "stopped"
    process = start_small(directory, **SETTINGS)
    assert wait_for(lambda: steps(directory) - {0, 2}, process), stderr(directory)
    process.terminate()
    process.join(TIMEOUT_S)
    assert process.exitcode == 143
    (line,) = [line for line in stderr(directory).splitlines() if not line.startswith("warning: Waiting")]
    step = max(steps(directory))
    assert line == f"stopped: stopped: saved at step {step}. The same command continues the run."
    assert step < SETTINGS["epochs"] * STEPS_PER_EPOCH
    run_to_the_end(start_small, directory)
    assert_same(outcome(directory), uninterrupted)


def test_killed_with_films_on_the_device_it_ends_as_if_it_never_was(start_small, tmp_path):
    settings = SETTINGS | {"epochs": 3, "on_device": True}
    run_to_the_end(start_small, tmp_path / "whole", settings)
    directory = tmp_path / "killed"
    for first_step in (0, 4):
        process = start_small(directory, **settings)
        assert wait_for(lambda least=first_step: max(steps(directory), default=0) > least, process), stderr(directory)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    run_to_the_end(start_small, directory, settings)
    assert_same(outcome(directory), outcome(tmp_path / "whole"))
