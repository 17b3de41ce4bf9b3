"""Killed worker processes end the command in one line, and no worker outlives a killed command."""

import contextlib
import os
import signal

import psutil
import pytest
from bad_input import MODULES, Place
from jobs import JOBS, content

pytestmark = pytest.mark.slow
SHARED = ("synthesize", "ingest", "prepare", "evaluate")


def start_with_workers(command: str, commands, place: Place, count: int):
    """Starts a command with two workers. Returns it and its workers once `count` of them run."""
    flags = [*JOBS[command].flags(place), "--workers", 2]
    running = commands.start(MODULES[command], *flags)
    workers: list[psutil.Process] = []

    def started() -> bool:
        found = psutil.Process(running.pid).children(recursive=True)
        workers.clear()
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):  # the process has just ended
                if "spawn_main" in " ".join(process.cmdline()):
                    workers.append(process)
        return len(workers) >= count

    assert running.wait_until(started), running.wait()
    return running, workers


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("command", SHARED)
def test_a_killed_worker_is_one_line_and_nothing_is_written(command, count, commands, supplies, tmp_path, tally):
    """Kills the first worker while the second one is starting, or when both run."""
    tally.fault(command, "killed worker process")
    place = Place(tmp_path, supplies)
    running, workers = start_with_workers(command, commands, place, count)
    os.kill(workers[0].pid, signal.SIGKILL)
    assert "a worker process was killed" in running.wait().error
    assert content(place.output) == {}


@pytest.mark.parametrize("command", SHARED)
def test_workers_end_with_a_killed_command(command, commands, supplies, tmp_path, tally):
    tally.fault(command, "kill -9, with worker processes")
    running, workers = start_with_workers(command, commands, Place(tmp_path, supplies), 2)
    os.kill(running.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=60)
    running.wait()
    assert alive == []


@pytest.mark.parametrize("to_all", [False, True], ids=["command", "terminal"])
@pytest.mark.parametrize("command", SHARED)
def test_an_interrupted_command_ends_its_workers_and_writes_nothing(command, to_all, commands, supplies, tmp_path):
    """As Ctrl-C in a terminal, which reaches the workers too, and as a signal to the command alone."""
    place = Place(tmp_path, supplies)
    running, workers = start_with_workers(command, commands, place, 1 + to_all)
    (os.killpg if to_all else os.kill)(running.pid, signal.SIGINT)
    ended = running.wait(20)
    assert ended.code == 130, ended
    assert "Traceback" not in ended.err and "resource_tracker" not in ended.err, ended
    assert psutil.wait_procs(workers, timeout=0)[1] == []
    assert content(place.output) == {}
