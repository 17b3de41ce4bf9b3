"""Disturbs a small training by the events of a plan, starts it again, and checks how its processes end."""

import contextlib
import os
import re
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import Process
from pathlib import Path

from chaos_plan import Event, Fault, Layout, Plan
from small_training import log_of
from test_kills import steps
from test_several_hosts import SETTINGS, start_two

LIMIT_S = 4.0  # without a sign of life of the other process
STARVED_S = 1.5
TIMEOUT_S = 120.0
# The last is what JAX's connection logs, as it begins to stop all processes at one step.
CLEAR = re.compile(r"error: |stopped: |warning: |W\d{4} .*preemption_notifier.cc:\d+\] SIGTERM caught at ")
KILLED, LOST, TERMINATED, FULL = -signal.SIGKILL, 75, 143, 1
LARGEST_FILE = 8192  # bytes: a checkpoint has larger files, a log has not

Filling = Callable[[Sequence[Process]], contextlib.AbstractContextManager[None]]


class ChaosTraining:
    """A training that is disturbed, and started again after each of its ends.

    Attributes:
      rows: what happened: for each event a list of texts, see `CHAOS_COLUMNS` in reliability.py.
    """

    def __init__(self, start_small, directory: Path, filling: Filling, settings: dict):
        self._start_small, self._directory, self._filling = start_small, directory, filling
        self._settings = settings | {"watch": {"host_seconds": LIMIT_S}}
        self._processes: list[Process] = []
        self._went_on_from = 0
        self.rows: list[list[str]] = []

    def run(self, plan: Plan) -> None:
        """Undergoes all events, and trains to the end."""
        for event in plan.events:
            self._undergo(event)
        if not self._processes:
            self._start(plan.last_layout)
        self._wait_for_ends(self._processes, 0)
        self._note(plan.last_layout, "none", f"{max(self._steps())}, the end")

    def _undergo(self, event: Event) -> None:
        if not self._processes:
            self._start(event.layout)
        begin = max(self._steps(), default=0)
        self._wait_for_step(begin + event.steps)
        time.sleep(event.delay)
        self._check_all_alive()
        moment = f"{max(self._steps())} + {event.delay:.2f} s"
        self._inject(event)
        self._note(event.layout, event.fault, moment)
        if event.fault is not Fault.STARVE:
            self._processes = []

    def _inject(self, event: Event) -> None:
        processes, victim = self._processes, self._processes[event.victim]
        match event.fault:
            case Fault.KILL_ONE:
                victim.kill()
                self._wait_for_ends([victim], KILLED)
                self._wait_for_loss(event.victim)
            case Fault.KILL_ALL:
                for process in processes:
                    process.kill()
                self._wait_for_ends(processes, KILLED)
            case Fault.STOP_ONE:
                os.kill(victim.pid, signal.SIGSTOP)
                self._wait_for_loss(event.victim)
                victim.kill()
                self._wait_for_ends([victim], KILLED)
            case Fault.TERMINATE:
                victim.terminate()
                self._wait_for_ends(processes, TERMINATED)
            case Fault.FULL_DISK:
                with self._filling(processes):
                    self._wait_for_ends(processes, FULL)
            case Fault.STARVE:
                os.kill(victim.pid, signal.SIGSTOP)
                time.sleep(STARVED_S)
                os.kill(victim.pid, signal.SIGCONT)
                self._wait_for_step(max(self._steps()) + 1)

    def _start(self, layout: Layout) -> None:
        self._went_on_from = max(self._steps(), default=0)
        settings = SETTINGS | self._settings
        if layout.processes == 2:
            self._processes = start_two(self._start_small, self._directory, layout.devices, **settings)
        else:
            self._processes = [self._start_small(self._directory, devices=layout.devices, **settings)]

    def _steps(self) -> set[int]:
        return steps(self._directory)

    def _wait_for_step(self, step: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while max(self._steps(), default=-1) < step:
            assert time.monotonic() < deadline, f"no step {step}: {self._logs()}"
            self._check_all_alive()
            time.sleep(0.005)

    def _check_all_alive(self) -> None:
        codes = [process.exitcode for process in self._processes]
        assert codes == [None] * len(codes), f"ended with {codes} before it was disturbed: {self._logs()}"

    def _wait_for_loss(self, victim: int) -> None:
        """Waits until the other process of two has ended since it misses the victim."""
        other = 1 - victim
        self._wait_for_ends([self._processes[other]], LOST)
        line = self._logs()[other][-1]
        assert f"error: host {victim} (" in line and f"has given no sign of life for {LIMIT_S:g} s" in line, line

    def _wait_for_ends(self, processes: Sequence[Process], code: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        for process in processes:
            process.join(max(0, deadline - time.monotonic()))
        found = [process.exitcode for process in processes]
        assert found == [code] * len(found), f"ended with {found}, not {code}: {self._logs()}"

    def _logs(self) -> list[list[str]]:
        """Returns the lines that each process has written to stderr since the last event."""
        logs = [log_of(self._directory, host) for host in range(len(self._processes))]
        return [log.read_text().splitlines() if log.exists() else [] for log in logs]

    def _note(self, layout: Layout, fault: str, moment: str) -> None:
        """Adds a row, and checks what was said."""
        logs = self._logs()
        self._check_clear(logs)
        for host in range(len(self._processes)):
            os.truncate(log_of(self._directory, host), 0)
        codes = ["goes on" if code is None else str(code) for code in (of.exitcode for of in self._processes)]
        lines = dict.fromkeys(self._shortened(line) for log in logs for line in log if self._is_told(line))
        row = (len(self.rows) + 1, layout, fault, self._went_on_from, moment, ", ".join(codes), " / ".join(lines))
        self.rows.append([str(value) for value in row])

    def _check_clear(self, logs: list[list[str]]) -> None:
        """Checks that every line is clear, and one line of a process that ended by itself says why.

        If the first host ends, JAX's connection in the other one logs that before. Threads of orbax may warn of a full
        disk after the error.
        """
        for process, log in zip(self._processes, logs, strict=True):
            assert not any("Traceback" in line for line in log), log
            is_left_alone = process is not self._processes[0] and self._processes[0].exitcode in (KILLED, FULL)
            unclear = [line for line in log if not CLEAR.match(line)]
            assert is_left_alone or not unclear, unclear
            if process.exitcode not in (None, 0, KILLED):
                assert sum(line.startswith(("error: ", "stopped: ")) for line in log) == 1, log

    def _is_told(self, line: str) -> bool:
        """Returns whether a line is this project's, and not one of the libraries."""
        return line.startswith(("error: ", "stopped: ", "warning: run:", f"warning: {self._directory}"))

    def _shortened(self, line: str) -> str:
        """Returns the first sentence without what differs between machines, the training's name, and names of films."""
        line = line.replace(f"{self._directory.parent}/", "").replace("run: ", "").partition(". ")[0]
        line = re.sub(r"\(\S+, process \d+\)", "(MACHINE, process N)", line.partition(", on clips of ")[0])
        return line.removesuffix(".")


@contextlib.contextmanager
def filled(place: Path) -> Iterator[None]:
    """Keeps the disk of a folder full in the `with` block, also when files are removed from it."""
    filler, over = place / "filler", threading.Event()

    def fill() -> None:
        with filler.open("wb") as file:
            while not over.is_set():
                free = os.statvfs(place)
                with contextlib.suppress(OSError):  # someone else was faster
                    if free.f_bavail:
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free.f_bavail * free.f_frsize)
                over.wait(0.001)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        filler.unlink()


@contextlib.contextmanager
def limited(processes: Sequence[Process]) -> Iterator[None]:
    """Forbids processes to write large files, which ends a write as a full disk does."""
    for process in processes:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, resource.RLIM_INFINITY))
    yield
