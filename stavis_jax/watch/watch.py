"""Watches a run: writes the heartbeat of this host, reads those of the others, and ends a process that hangs."""

import contextlib
import dataclasses
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Self

from data_pipelines.runtime.command import reported_line
from data_pipelines.runtime.errors import UserError, is_out_of_memory
from stavis_jax.watch import beats, pulse
from stavis_jax.watch.aborts import answer_aborts
from stavis_jax.watch.beats import Beat
from stavis_jax.watch.ending import LOST_CODE, Ending, end_process, ending_of
from stavis_jax.watch.peers import Peers
from stavis_jax.watch.settings import WatchSettings

LONGEST_INTERVAL = 2.0  # seconds between beats
LONGEST_DELAY = 10.0  # seconds; a thread on a busy machine is that late, and a longer time it was stopped


class Watch:
    """In the `with` block, a thread writes RUN/hosts/<host>.json and looks at those of the other hosts.

    It ends the process with one line and LOST_CODE if another host has been silent for `settings.host_seconds`, while
    this one waited too, or if a training step takes longer than `settings.step_seconds`. Time in which this process
    was stopped, or could not reach the folder, does not count.

    If there are other hosts, an error ends the process without tidying up: JAX would wait for the others, and they for
    this host.
    """

    def __init__(self, workdir: Path, settings: WatchSettings, host: int = 0, hosts: int = 1):
        self._workdir, self._folder, self._settings = workdir, workdir / beats.FOLDER, settings
        self._hosts, self._interval = hosts, min(LONGEST_INTERVAL, settings.host_seconds / 20)
        self._beat = Beat.first(host, hosts)
        self._counted = 0.0  # seconds in which the thread has watched
        self._over, self._writing = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._aborts = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._before = set(self._workdir.iterdir()) if self._workdir.is_dir() else set()
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._beat.host == 0:
            for file in self._folder.glob("*.json"):
                if file.stem.isdigit() and int(file.stem) >= self._hosts:  # an earlier run had more hosts
                    file.unlink(missing_ok=True)
        self._peers = Peers(self._folder, self._beat.host, self._hosts)
        pulse.current.doing = "preparing"
        self._write(beats.RUNNING)
        if self._hosts > 1:
            self._aborts.enter_context(answer_aborts(self._answer_abort))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hosts > 1 and _may_be_of_another_host(error):
            self._wait_for_verdict()
        self._over.set()
        self._thread.join()
        self._aborts.close()
        ending = ending_of(error)
        self._write(ending.outcome, ending)
        if self._hosts == 1:
            self._remove_if_alone(ending)
        elif ending.outcome in (beats.FAILED, beats.INTERRUPTED):
            if error and not isinstance(error, UserError | KeyboardInterrupt) and reported_line(error) is None:
                traceback.print_exception(error)
            end_process(dataclasses.replace(ending, is_told_here=True))

    def forget_others(self) -> None:
        """Goes on alone: the other hosts have ended, or may end."""
        self._hosts = 1
        self._aborts.close()
        self._peers.peers.clear()

    def _run(self) -> None:
        last, longest = time.monotonic(), max(2 * self._interval, min(LONGEST_DELAY, self._settings.host_seconds / 6))
        while not self._over.wait(self._interval):
            now = time.monotonic()
            elapsed, last = min(now - last, longest), now
            self._counted += elapsed
            self._write(beats.RUNNING)
            self._peers.look(elapsed)
            idle = pulse.current.idle(elapsed)
            ending = self._peers.ending(idle, self._settings.host_seconds, self._interval) or self._hang(idle)
            if ending and not self._over.is_set():
                self._write(ending.outcome, ending)
                end_process(ending)

    def _hang(self, idle: float) -> Ending | None:
        patience = pulse.current.patience(self._settings.step_seconds)
        if patience is None or idle < patience:
            return None
        kind, stage = (
            {"validation": "validation batch"}.get(now := pulse.current.kind(), now),
            pulse.current.training.get("stage", "training"),
        )
        return Ending(
            beats.LOST,
            f"{stage}: no {kind} has ended for {patience:g} s, so a device or the data hangs. The last checkpoint is "
            "kept: run the same command again. --config.watch.step_seconds sets the limit.",
            LOST_CODE,
        )

    def _wait_for_verdict(self) -> None:
        """Waits for the thread to end the process because of another host. Returns if no host is missing.

        It waits by the time that the thread counts, since the thread may be late.
        """
        end = self._counted + self._settings.host_seconds + 2 * self._interval
        while self._counted < end and not self._over.wait(self._interval):
            pass

    def _answer_abort(self) -> None:
        """Lets the thread or, if it ends with an error already, the main thread end the process."""
        self._wait_for_verdict()
        if self._over.is_set():
            time.sleep(self._settings.host_seconds)

    def _write(self, state: str, ending: Ending | None = None) -> None:
        now = pulse.current
        with self._writing, contextlib.suppress(OSError):  # a full disk, or a folder that is out of reach
            self._beat = dataclasses.replace(
                self._beat,
                count=self._beat.count + 1,
                seconds=time.time(),
                state=state,
                message=ending.message if ending else "",
                code=ending.code if ending else 0,
                doing=now.doing,
                training=now.training,
            )
            self._beat.write(self._folder)

    def _remove_if_alone(self, ending: Ending) -> None:
        """Removes the heartbeat of a run that failed before it wrote anything."""
        if ending.outcome == beats.FINISHED or set(self._workdir.iterdir()) - {self._folder} != self._before:
            return
        with contextlib.suppress(OSError):
            (self._folder / f"{self._beat.host}.json").unlink(missing_ok=True)
            self._folder.rmdir()


def _may_be_of_another_host(error: BaseException | None) -> bool:
    """Returns whether JAX raised the error, or the one behind it, perhaps since another host is gone."""
    while error is not None:
        if type(error).__name__ in ("JaxRuntimeError", "XlaRuntimeError") and not is_out_of_memory(error):
            return True
        error = error.__cause__
    return False
