"""Two processes of two devices each train like one process on four devices or on one."""

import json
import signal
import socket
import time
from multiprocessing import Process
from pathlib import Path

import numpy as np
import pytest
from small_training import log_of

SETTINGS = {"batch_size": 8, "effective_batch": 8, "epochs": 3, "save_every_steps": 1}
TIMEOUT_S = 240
# float32 sums in another order, over nine steps; correlation and NSS are near 0, so absolutely there.
RTOL, ATOL = 1e-4, 1e-4
NUMBERS = ("loss", "cross_entropy", "correlation", "nss", "grad_norm", "validation_loss", "validation_cc")
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


def start_two(start_small, directory: Path, devices: int = 2, **settings) -> list[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    return [start_small(directory, devices=devices, host=(coordinator, 2, i), **SETTINGS | settings) for i in range(2)]


def ends(processes: list[Process], directory: Path, code: int = 0) -> list[str]:
    """Waits for the end of all processes, and returns what each has written to stderr."""
    deadline = time.monotonic() + TIMEOUT_S
    for process in processes:
        process.join(max(0, deadline - time.monotonic()))
    said = [log_of(directory, i).read_text() for i in range(len(processes))]
    assert [process.exitcode for process in processes] == [code] * len(processes), said
    return said


def outcome(directory: Path, epochs: int = 3) -> tuple[list[list[float]], dict[str, np.ndarray]]:
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [*range(1, epochs + 1)]  # once each
    with np.load(directory / "last.npz") as weights:
        return [[row[name] for name in NUMBERS] for row in rows], dict(weights)


def assert_close(ours, theirs) -> None:
    np.testing.assert_allclose(ours[0], theirs[0], rtol=RTOL, atol=ATOL)
    for name, array in theirs[1].items():
        np.testing.assert_allclose(ours[1][name], array, rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.fixture(scope="module")
def two_processes(start_small, tmp_path_factory):
    directory = tmp_path_factory.mktemp("two") / "run"
    ends(start_two(start_small, directory), directory)
    return outcome(directory)


@pytest.mark.parametrize("devices", [4, 1])
def test_two_processes_train_as_one(devices, two_processes, start_small, tmp_path):
    directory = tmp_path / "one"
    ends([start_small(directory, devices=devices, **SETTINGS)], directory)
    assert_close(two_processes, outcome(directory))


def test_two_processes_gather_the_clips_that_they_would_read(two_processes, start_small, tmp_path):
    """Each process places the frames of its own devices."""
    directory = tmp_path / "on_device"
    ends(start_two(start_small, directory, on_device=True), directory)
    assert_close(outcome(directory), two_processes)


def wait_for_step(directory: Path, step: int, processes) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not any((directory / "checkpoints" / str(step + i)).is_dir() for i in range(3)):
        assert time.monotonic() < deadline and all(process.exitcode is None for process in processes)
        time.sleep(0.01)


def test_two_processes_stopped_and_then_killed_go_on_together(two_processes, start_small, tmp_path):
    """A signal to one process saves and ends both. A kill of both loses what followed the last checkpoint."""
    directory = tmp_path / "run"
    processes = start_two(start_small, directory)
    wait_for_step(directory, 1, processes)
    processes[1].terminate()
    for said in ends(processes, directory, 143):
        assert said.count("stopped: run: saved at step") == 1
    processes = start_two(start_small, directory)
    wait_for_step(directory, 5, processes)
    for process in processes:
        process.kill()
    ends(processes, directory, -signal.SIGKILL)
    said = ends(start_two(start_small, directory), directory)
    assert not any("read_only" in log or "read only" in log for log in said)  # how orbax restores is not their concern
    ours, theirs = outcome(directory), two_processes
    assert ours[0] == theirs[0]
    for name, array in theirs[1].items():
        np.testing.assert_array_equal(ours[1][name], array, err_msg=name)
