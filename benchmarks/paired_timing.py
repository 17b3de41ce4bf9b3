"""Times two jobs in turn, each in a process of its own, and compares neighbouring times only.

The speed of a machine changes by the minute. Two times taken one after the other share the machine's state, so the
ratio of such a pair is steadier than the ratio of two averages.
"""

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.worker import Time
from data_pipelines.runtime.errors import UserError

ROOT = Path(__file__).parents[1]
QUIET_CORES = 0.1


class Worker(contextlib.AbstractContextManager):
    """A process that holds one job and runs it on request (worker.py). The process ends with the context.

    Attributes:
        first_result: what the job's first call returned.
    """

    def __init__(self, job: str, arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None):
        """Starts the job "module:function" and waits for its first call to end.

        Raises:
            UserError: the job failed; the message has the last line that it wrote.
        """
        self._job = job
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed with the process
        self._connection, theirs = Pipe()
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", str(theirs.fileno()), job, json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        )
        theirs.close()
        try:
            self.first_result = self._receive()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_) -> None:
        self.close()

    def run(self, at_least: float = 0.0) -> Time:
        """Runs the job once or more, until `at_least` seconds have passed."""
        with contextlib.suppress(BrokenPipeError):  # the process is gone; `_receive` reports that
            self._connection.send(at_least)
        return Time(*self._receive())

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.wait()
            self._log.seek(0)
            said = self._log.read().strip().splitlines() or [f"exit code {self._process.returncode}"]
            raise UserError(f"{self._job}: failed ({said[-1]}).") from None


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Times of both sides, a pair a round, and what the first call of each side returned."""

    theirs: Sequence[Time]
    ours: Sequence[Time]
    first_results: tuple[Any, Any] = (None, None)

    @property
    def their_seconds(self) -> float:
        """Returns their median time of a call."""
        return statistics.median(time.seconds for time in self.theirs)

    @property
    def our_seconds(self) -> float:
        """Returns our median time of a call."""
        return statistics.median(time.seconds for time in self.ours)

    @property
    def ratios(self) -> list[float]:
        """Returns their time over ours for each pair."""
        return [theirs.seconds / ours.seconds for theirs, ours in zip(self.theirs, self.ours, strict=True)]

    @property
    def ratio(self) -> float:
        """Returns the median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def difference(self) -> float:
        """Returns the largest difference of the first results, relative to their largest value."""
        expected, found = map(np.asarray, self.first_results)
        return float(np.abs(found - expected).max() / np.abs(expected).max())


def alternate(
    theirs: Worker,
    ours: Worker,
    rounds: int,
    at_least: float = 0.0,
    settle: float = 0.0,
    quiet_cores: float = QUIET_CORES,
) -> Pairs:
    """Times both sides in turn for `rounds` pairs, after one pair that does not count.

    The side that goes first changes every round. If other programs disturb a pair, another one is measured, up to twice
    as many pairs in all; if there are still too few quiet pairs, all of them count.

    Args:
        at_least: seconds that the calls of one time fill.
        settle: seconds of calls before each time that do not count, such as batches read ahead.
        quiet_cores: a pair is quiet if other programs used no more cores meanwhile.
    """
    pairs: list[tuple[Time, Time]] = []
    quiet: list[tuple[Time, Time]] = []
    for number in range(-1, 2 * rounds):
        times = {}
        for side in (theirs, ours) if number % 2 else (ours, theirs):
            if settle:
                side.run(settle)
            times[side] = side.run(at_least)
        if number < 0:
            continue
        pairs.append((times[theirs], times[ours]))
        if _other_cores(pairs[-1]) <= quiet_cores:
            quiet.append(pairs[-1])
        if len(quiet) == rounds:
            break
    measured = quiet if len(quiet) == rounds else pairs
    return Pairs(*zip(*measured, strict=True), first_results=(theirs.first_result, ours.first_result))


def disturbance(measured: Sequence[Pairs]) -> str:
    """Returns a warning if other programs used the machine meanwhile, else "".

    Such programs slow PyTorch down most, because its threads wait for each other.
    """
    others = max((_other_cores([*pairs.theirs, *pairs.ours]) for pairs in measured), default=0.0)
    if others <= QUIET_CORES:
        return ""
    return f" **Other programs used up to {others:.1f} cores meanwhile: measure again on an idle machine.**"


def _other_cores(times: Sequence[Time]) -> float:
    return max(time.other_cores or 0.0 for time in times)
