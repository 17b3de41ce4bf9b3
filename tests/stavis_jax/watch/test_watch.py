"""A watch ends its process, with one line and an exit code, where it would wait for ever; and nowhere else."""

import contextlib
import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stavis_jax.watch import beats, pulse
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.pulse import Pulse
from stavis_jax.watch.settings import WatchSettings
from stavis_jax.watch.watch import Watch

ROOT = Path(__file__).parents[3]
LOST_CODE = 75
LIMIT_S = 2.0
LATE_S = 5.0  # for a process that ends while the machine is busy
TIMEOUT_S = 60
pytestmark = pytest.mark.slow
PROGRAM = """
import os, sys, time
from pathlib import Path
from data_pipelines.runtime.command import command
from data_pipelines.runtime.errors import Stopped, UserError
from stavis_jax.watch import pulse
from stavis_jax.watch.notify import Notifier
from stavis_jax.watch.settings import WatchSettings
from stavis_jax.watch.watch import Watch

class JaxRuntimeError(RuntimeError):
    pass

@command
def run(folder, host, hosts, step_seconds, work):
    pulse.COMPILING_SECONDS = 1.0
    tell = 'echo "$STAVIS_OUTCOME $STAVIS_EXIT_CODE $STAVIS_MESSAGE" >>' + f"{folder}.told{host}"
    with Notifier(tell, folder) as told:
        told.speaks = host == 0
        with Watch(Path(folder), WatchSettings(LIMIT, step_seconds), host, hosts) as watch:
            exec(work)

run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
""".replace("LIMIT", str(LIMIT_S))
WAIT = "time.sleep(100)"
GO = "while not os.path.exists(folder + '.go'): time.sleep(0.01)\n"
STEPS = "with pulse.current.loop(stage='visual', steps=9):\n    pulse.current.step(1, {})\n    "


@pytest.fixture
def start(tmp_path):
    """Returns a function that starts a host of a run, which does `work`."""
    started = []

    def start(work: str, host: int = 0, hosts: int = 2, step_seconds: float = 0.0) -> subprocess.Popen:
        arguments = [str(tmp_path / "run"), str(host), str(hosts), str(step_seconds), work]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen) -> tuple[int, list[str]]:
    """Returns the exit code, and the lines of errors."""
    _, said = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, said.splitlines()


def wait_for_beat(folder: Path, host: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if json.loads((folder / "hosts" / f"{host}.json").read_text())["count"] > 2:
                return
        time.sleep(0.02)
    pytest.fail(f"host {host} does not beat")


@pytest.mark.parametrize("lost", [0, 1])
def test_a_silent_host_is_named_and_the_first_that_is_left_tells_of_it(lost, start, tmp_path):
    processes = [start(WAIT, host) for host in range(2)]
    for host in range(2):
        wait_for_beat(tmp_path / "run", host)
    os.kill(processes[lost].pid, signal.SIGSTOP)
    begin = time.monotonic()
    code, (line,) = end(processes[1 - lost])
    assert LIMIT_S / 2 < time.monotonic() - begin < LIMIT_S + LATE_S
    assert code == LOST_CODE
    assert line.startswith(f"error: host {lost} (") and f"process {processes[lost].pid})" in line
    (told,) = (tmp_path / f"run.told{1 - lost}").read_text().splitlines()
    assert told == f"lost 75 {line.removeprefix('error: ')}"


def test_a_host_that_never_appears_is_missed_whatever_an_earlier_run_left(start, tmp_path):
    (tmp_path / "run" / "hosts").mkdir(parents=True)
    left = {"host": 1, "hosts": 2, "name": "old", "machine": "", "process": 1, "born": "", "count": 5, "seconds": 0.0}
    left |= {"state": "failed", "message": "old", "code": 1, "doing": "", "training": {}}
    (tmp_path / "run" / "hosts" / "1.json").write_text(json.dumps(left))
    (tmp_path / "run" / "hosts" / "2.json").write_text(json.dumps(left))
    code, (line,) = end(start(WAIT))
    assert code == LOST_CODE
    assert line.startswith(f"error: {tmp_path / 'run' / 'hosts' / '1.json'}: host 1 has not appeared for 2 s.")
    assert not (tmp_path / "run" / "hosts" / "2.json").exists()  # of an earlier run with more hosts


def test_a_beat_is_written_on_a_full_disk_too(tmp_path, monkeypatch):
    def write_text(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    beat = Beat.first(0, 2)
    dataclasses.replace(beat, message="a long line " * 9).write(tmp_path)
    monkeypatch.setattr("stavis_jax.watch.beats.write_text", write_text)
    last = dataclasses.replace(beat, count=7, state="failed", message="disk: is full")
    last.write(tmp_path)
    assert beats.read(tmp_path / "0.json") == last


def test_an_error_of_one_host_ends_the_others_with_its_message_and_code(start, tmp_path):
    others = [start(WAIT, host, 3) for host in (0, 2)]
    for host in (0, 2):
        wait_for_beat(tmp_path / "run", host)
    code, (line,) = end(start("time.sleep(0.5); raise UserError('d.png: is damaged')", 1, 3))
    assert (code, line) == (1, "error: d.png: is damaged")
    for other in others:
        code, (line,) = end(other)
        assert code == 1 and line.startswith("error: host 1 (") and line.endswith(") has ended: d.png: is damaged")
    assert (tmp_path / "run.told0").read_text().count("\n") == 1 and not (tmp_path / "run.told2").exists()


def test_hosts_that_fail_alike_each_tell_their_own_error(start, tmp_path):
    processes = [start(GO + "raise UserError(f'the loss is nan, on host {host}')", host) for host in range(2)]
    for host in range(2):
        wait_for_beat(tmp_path / "run", host)
    (tmp_path / "run.go").touch()
    for host, process in enumerate(processes):
        assert end(process) == (1, [f"error: the loss is nan, on host {host}"])


def test_a_host_may_finish_or_stop_before_another(start, tmp_path):
    first = start("time.sleep(2.5 * LIMIT_S)".replace("LIMIT_S", str(LIMIT_S)))
    wait_for_beat(tmp_path / "run", 0)
    assert end(start("time.sleep(0.5)", 1)) == (0, [])
    assert end(first) == (0, [])
    assert (tmp_path / "run.told0").read_text() == "finished 0 \n"


def test_while_steps_go_on_nobody_is_missed(start, tmp_path):
    """Its thread for heartbeats may have died, or lost the folder."""
    work = STEPS + f"for i in range(int(30 * {LIMIT_S})): time.sleep(0.1); pulse.current.step(i, {{}})"
    assert end(start(work)) == (0, [])


def test_an_error_of_jax_is_blamed_on_the_host_that_is_gone(start, tmp_path):
    survivor, other = start(GO + "raise JaxRuntimeError('Connection closed by peer')"), start(WAIT, 1)
    for host in range(2):
        wait_for_beat(tmp_path / "run", host)
    other.kill()
    (tmp_path / "run.go").touch()
    code, (line,) = end(survivor)
    assert code == LOST_CODE and line.startswith("error: host 1 (")


def test_an_abort_of_jax_is_blamed_on_the_host_that_is_gone(start, tmp_path):
    other, survivor = start(WAIT, 0), start(GO + "os.abort()", 1)
    for host in range(2):
        wait_for_beat(tmp_path / "run", host)
    other.kill()
    (tmp_path / "run.go").touch()
    code, (line,) = end(survivor)
    assert code == LOST_CODE and line.startswith("error: host 0 (")


def test_a_file_that_cannot_be_written_is_one_line_and_a_bug_is_a_traceback(start, tmp_path):
    other = start(WAIT, 0)
    wait_for_beat(tmp_path / "run", 0)
    code, lines = end(start("raise OSError(28, 'No space left on device', 'metrics.jsonl')", 1))
    line = "metrics.jsonl: No space left on device. Give a folder that can be written."
    assert (code, lines) == (1, [f"error: {line}"])
    code, (said,) = end(other)
    assert code == 1 and said.endswith(f"has ended: {line}")
    other = start(WAIT, 0)
    wait_for_beat(tmp_path / "run", 0)
    code, lines = end(start("raise KeyError('a bug')", 1))
    assert code == 1 and lines[0].startswith("Traceback") and lines[-1] == "error: KeyError: 'a bug'"


def test_an_abort_of_jax_waits_for_the_watch_however_late_that_is(start, tmp_path):
    """The watch does not count the time in which the process is stopped, or the machine too busy to run it."""
    other, survivor = start(WAIT, 0), start(GO + "os.abort()", 1)
    for host in range(2):
        wait_for_beat(tmp_path / "run", host)
    other.kill()
    (tmp_path / "run.go").touch()
    time.sleep(LIMIT_S / 4)
    survivor.send_signal(signal.SIGSTOP)
    time.sleep(LIMIT_S)
    survivor.send_signal(signal.SIGCONT)
    code, (line,) = end(survivor)
    assert code == LOST_CODE and line.startswith("error: host 0 (")


def test_an_abort_of_jax_does_not_come_before_the_line_of_an_error(start, tmp_path):
    """The first host is gone, JAX's connection aborts, and meanwhile this host has an error of its own."""
    aborts = "import threading; threading.Thread(target=os.abort, daemon=True).start(); time.sleep(0.3)\n"
    other, survivor = start(WAIT, 0), start(GO + aborts + "raise UserError('disk: is full')", 1)
    for host in range(2):
        wait_for_beat(tmp_path / "run", host)
    other.kill()
    (tmp_path / "run.go").touch()
    assert end(survivor) == (1, ["error: disk: is full"])


def test_an_abort_of_its_own_stays_one(start, tmp_path):
    other = start(WAIT, 0)
    wait_for_beat(tmp_path / "run", 0)
    assert end(start("os.abort()", 1)) == (-signal.SIGABRT, [])
    code, (line,) = end(other)
    assert code == LOST_CODE and line.startswith("error: host 1 (")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (STEPS + WAIT, "visual: no step has ended for 0.5 s"),
        (STEPS + "pulse.current.begin('validation'); " + WAIT, "visual: no validation batch has ended for 1 s"),
        ("with pulse.current.loop(stage='visual'): " + WAIT, "visual: no step has ended for 1 s"),  # it compiles
    ],
)
def test_a_step_that_does_not_end_ends_the_run(work, said, start, tmp_path):
    code, (line,) = end(start(work, hosts=1, step_seconds=0.5))
    assert code == LOST_CODE and line.startswith(f"error: {said}"), line
    assert "--config.watch.step_seconds" in line
    assert (tmp_path / "run.told0").read_text().startswith("lost 75 visual: no ")


def test_outside_the_loop_and_without_a_limit_no_step_is_missed(start):
    assert end(start("time.sleep(1.5)", hosts=1, step_seconds=0.5)) == (0, [])
    assert end(start(STEPS + "time.sleep(1.5)", hosts=1, step_seconds=0.0)) == (0, [])


def test_the_time_in_which_a_process_is_stopped_does_not_count(start, tmp_path):
    process = start(STEPS + "time.sleep(5.5)", hosts=1, step_seconds=3.0)
    wait_for_beat(tmp_path / "run", 0)
    # 3 of the 5.5 seconds, so neither before nor after it waits for as long as the limit.
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(3.0)
    os.kill(process.pid, signal.SIGCONT)
    assert end(process) == (0, [])


def test_the_heartbeat_of_a_run_that_failed_at_once_is_removed(tmp_path):
    with pytest.raises(ZeroDivisionError), Watch(tmp_path, WatchSettings()):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_the_heartbeat_tells_the_latest_step(tmp_path, monkeypatch):
    monkeypatch.setattr(pulse, "current", Pulse())
    with Watch(tmp_path, WatchSettings(host_seconds=1.0)), pulse.current.loop(stage="visual", step=3, steps=9):
        pulse.current.step(4, {"loss": 2.5})
        wait_for_beat(tmp_path, 0)
        pulse.current.step(5, {"loss": 1.5})
        deadline = time.monotonic() + TIMEOUT_S
        while (said := json.loads((tmp_path / "hosts" / "0.json").read_text()))["training"].get("step") != 5:
            assert time.monotonic() < deadline
        assert (said["doing"], said["state"], said["training"]["first_step"]) == ("training", "running", 4)
    said = json.loads((tmp_path / "hosts" / "0.json").read_text())
    assert (said["state"], said["training"]["loss"]) == ("finished", 1.5)
