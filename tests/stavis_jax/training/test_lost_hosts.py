"""A host that dies, hangs or fails ends the others within the limit, with one line that names it."""

import os
import signal
import time
from pathlib import Path

import pytest
from small_training import log_of
from test_several_hosts import TIMEOUT_S, start_two, wait_for_step

from stavis_jax.watch import beats

LIMIT_S = 6.0
LATE_S = 5.0  # for a process that ends while the machine is busy
LOST_CODE = 75
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


def end_of(process, directory: Path, host: int) -> tuple[float, list[str]]:
    """Waits for the end of a process. Returns how long that took, and its lines of errors."""
    begin = time.monotonic()
    process.join(TIMEOUT_S)
    seconds = time.monotonic() - begin
    lines = log_of(directory, host).read_text().splitlines()
    return seconds, [line for line in lines if line.startswith(("error:", "stopped:"))]


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_host_that_hangs_or_dies_is_named_within_the_limit_and_the_run_goes_on(lost, how, start_small, tmp_path):
    directory = tmp_path / "run"
    settings = {"watch": {"host_seconds": LIMIT_S}, "epochs": 400, "patience": 400}
    processes = start_two(start_small, directory, **settings)
    wait_for_step(directory, 4, processes)
    os.kill(processes[lost].pid, how)
    seconds, lines = end_of(processes[1 - lost], directory, 1 - lost)
    said = log_of(directory, 1 - lost).read_text()
    assert processes[1 - lost].exitcode == LOST_CODE, said
    assert seconds < LIMIT_S + LATE_S
    assert len(lines) == 1 and f"host {lost} (" in lines[0], said
    assert f"process {processes[lost].pid}) has given no sign of life for {LIMIT_S:g} s" in lines[0]
    assert said.splitlines()[-1] == lines[0]
    processes[lost].kill()
    processes[lost].join()
    steps = max(int(path.name) for path in (directory / "checkpoints").iterdir() if path.name.isdigit())
    processes = start_two(start_small, directory, **settings)
    wait_for_step(directory, steps + 1, processes)  # with the stale heartbeats of the run before
    for process in processes:
        assert process.exitcode is None
        process.kill()
        process.join()


def test_the_other_hosts_end_while_the_first_one_scores(start_small, tmp_path):
    directory, scores = tmp_path / "run", 3 * LIMIT_S
    processes = start_two(start_small, directory, watch={"host_seconds": LIMIT_S}, scores=scores)
    _, lines = end_of(processes[1], directory, 1)
    assert (processes[1].exitcode, lines) == (0, [])
    seconds, lines = end_of(processes[0], directory, 0)
    assert (processes[0].exitcode, lines) == (0, [])
    assert seconds > scores - 2


def test_sigterm_ends_the_first_host_while_it_scores(start_small, tmp_path):
    directory = tmp_path / "run"
    processes = start_two(start_small, directory, scores=600.0)
    assert end_of(processes[1], directory, 1)[1] == []
    deadline = time.monotonic() + TIMEOUT_S
    while beats.read(directory / "hosts" / "0.json").doing != "scoring":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    processes[0].terminate()
    _, lines = end_of(processes[0], directory, 0)
    assert (processes[0].exitcode, lines) == (143, ["stopped: on request. Run the same command again."])
