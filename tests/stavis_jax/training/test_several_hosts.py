"""Two processes of four devices each train like one process on eight devices or on one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
SETTINGS = {"batch_size": 8, "effective_batch": 8, "epochs": 5, "save_every_steps": 1}
TIMEOUT_S = 240
# float32 sums in another order, over fifteen steps; correlation and NSS are near 0, so absolutely there.
RTOL, ATOL = 1e-4, 1e-4
NUMBERS = ("loss", "cross_entropy", "correlation", "nss", "grad_norm", "validation_loss", "validation_cc")
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


def start(shards: Path, directory: Path, processes: int, devices: int) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "PYTHONPATH": str(HERE.parents[2]),
    }
    where = [str(shards), str(directory), json.dumps(SETTINGS)]
    commands = [
        [sys.executable, str(HERE / "several_hosts.py"), coordinator, str(processes), str(i), *where]
        for i in range(processes)
    ]
    pipe = subprocess.PIPE
    return [subprocess.Popen(c, env=environment, stdout=pipe, stderr=pipe, text=True) for c in commands]


def ends(processes: list[subprocess.Popen], code: int = 0) -> list[tuple[str, str]]:
    """Waits for the end of all processes, and returns (stdout, stderr) of each."""
    try:
        said = [process.communicate(timeout=TIMEOUT_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [code] * len(processes), said
    return said


def outcome(directory: Path) -> tuple[list[list[float]], dict[str, np.ndarray]]:
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]  # once each
    with np.load(directory / "last.npz") as weights:
        return [[row[name] for name in NUMBERS] for row in rows], dict(weights)


def assert_close(ours, theirs) -> None:
    np.testing.assert_allclose(ours[0], theirs[0], rtol=RTOL, atol=ATOL)
    for name, array in theirs[1].items():
        np.testing.assert_allclose(ours[1][name], array, rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    import small_training

    return small_training.make_shards(tmp_path_factory.mktemp("hosts"))


@pytest.fixture(scope="module")
def two_processes(shards, tmp_path_factory):
    directory = tmp_path_factory.mktemp("two") / "run"
    for out, _ in ends(start(shards, directory, 2, 4)):
        assert "8 devices" in out
    return outcome(directory)


@pytest.mark.parametrize("devices", [8, 1])
def test_two_processes_train_as_one(devices, two_processes, shards, tmp_path):
    ends(start(shards, tmp_path / "one", 1, devices))
    assert_close(two_processes, outcome(tmp_path / "one"))


def wait_for_step(directory: Path, step: int, processes) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not any((directory / "checkpoints" / str(step + i)).is_dir() for i in range(3)):
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.01)


def test_two_processes_stopped_and_then_killed_go_on_together(two_processes, shards, tmp_path):
    """A signal to one process saves and ends both. A kill of both loses what followed the last checkpoint."""
    directory = tmp_path / "run"
    processes = start(shards, directory, 2, 4)
    wait_for_step(directory, 1, processes)
    processes[1].terminate()
    for _, err in ends(processes, 143):
        assert err.count("stopped: run: saved at step") == 1
    processes = start(shards, directory, 2, 4)
    wait_for_step(directory, 10, processes)
    for process in processes:
        process.kill()
    ends(processes, -signal.SIGKILL)
    ends(start(shards, directory, 2, 4))
    ours, theirs = outcome(directory), two_processes
    assert ours[0] == theirs[0]
    for name, array in theirs[1].items():
        np.testing.assert_array_equal(ours[1][name], array, err_msg=name)
