"""Two sides of a measurement in processes of their own, which work in turn: pairs of times, and ratios of the pairs.

Machines get faster and slower by the minute, so only times taken next to each other are compared.
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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError

ROOT = Path(__file__).parents[1]
# glibc gives big buffers back to the kernel after every call, and the next call waits for fresh pages. One arena: a
# thread's own cannot hold big buffers, and XLA's work in threads. None by mmap, however big. With these, neither side
# has a page fault a call.
TUNED_MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(2**28),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
QUIET_CORES = 0.1


class Contestant:
    """One side's job, in a process that waits to be told: see contestant.py. A context: the process ends with it.

    Attributes:
      device: what the job runs on, as its module tells.
    """

    def __init__(self, job: str, arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None):
        """Starts `job`, "module:function", and waits for its first call to end.

        Raises:
          UserError: it failed; the message has the last line it wrote.
        """
        self._job = job
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed with the process
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestant", job, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        )
        try:
            self.device = self._reply()["device"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def run(self, at_least: float = 0.0) -> "Time":
        """Of a call, the mean of as many as fill `at_least` seconds."""
        reply = self._ask(run=at_least)
        return Time(reply["seconds"], reply["others"] or 0.0)

    def peak_bytes(self) -> int:
        """The most memory its process has had at once."""
        return self._ask(peak=True)["bytes"]

    def first_result(self) -> np.ndarray:
        """What its first call returned."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "result.npy"
            self._ask(save=str(path))
            return np.load(path)

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        with contextlib.suppress(BrokenPipeError):  # it is gone: the missing reply says so
            print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._log.seek(0)
        said = self._log.read().strip().splitlines() or [f"exit code {self._process.returncode}"]
        raise UserError(f"{self._job}: failed ({said[-1]}).")


class Time(NamedTuple):
    """Seconds of a call, and how many cores other programs used meanwhile (0 where that is not known)."""

    seconds: float
    others: float


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Times of both sides, a pair a round."""

    theirs: Sequence[Time]
    ours: Sequence[Time]

    @property
    def their_seconds(self) -> float:
        """Median."""
        return statistics.median(time.seconds for time in self.theirs)

    @property
    def our_seconds(self) -> float:
        """Median."""
        return statistics.median(time.seconds for time in self.ours)

    @property
    def ratios(self) -> list[float]:
        """Theirs over ours, of each pair."""
        return [theirs.seconds / ours.seconds for theirs, ours in zip(self.theirs, self.ours, strict=True)]

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def others(self) -> float:
        """The most cores that other programs used during one of the times."""
        return max(time.others for time in (*self.theirs, *self.ours))


def alternate(theirs: Contestant, ours: Contestant, rounds: int, at_least: float = 0.0) -> Pairs:
    """Times both in turn, who is first changing every round, after a round that does not count.

    Pairs that other programs disturbed are taken again, up to as often; if there are still too few, all count.
    """
    pairs: list[tuple[Time, Time]] = []
    quiet: list[tuple[Time, Time]] = []
    for number in range(-1, 2 * rounds):
        times = {side: side.run(at_least) for side in ((theirs, ours) if number % 2 else (ours, theirs))}
        if number >= 0:
            pairs.append((times[theirs], times[ours]))
            quiet += pairs[-1:] if max(time.others for time in pairs[-1]) <= QUIET_CORES else []
        if len(quiet) == rounds:
            break
    return Pairs(*zip(*(quiet if len(quiet) == rounds else pairs), strict=True))


def disturbance(*measured: Pairs) -> str:
    """A sentence if other programs had the machine too: PyTorch's threads wait for each other, so it suffers most."""
    others = max(pairs.others for pairs in measured)
    if others <= QUIET_CORES:
        return ""
    return f" **Other programs used up to {others:.1f} cores meanwhile: measure again on an idle machine.**"
