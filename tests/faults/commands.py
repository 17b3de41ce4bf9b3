"""Starts commands in processes of their own through `command_server`, and reports how they ended."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRESS = re.compile(r"━|\d/(\d|\?)|-:--:--")
TIMEOUT_S = 120  # for a busy machine


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended. `code` is negative after a signal; `num_bytes` is the peak memory."""

    code: int
    out: str
    err: str
    seconds: float
    num_bytes: int
    timed_out: bool

    @property
    def error(self) -> str:
        """Returns the one error line. Fails if there is none, or if more than warnings and progress bars precede it."""
        *before, line = [line for line in self.err.splitlines() if line.strip()] or [""]
        assert self.code > 0 and not self.timed_out, self
        assert line.startswith("error: ") and len(line) < 1200 and line.isprintable(), self
        assert all(other.startswith("warning: ") or PROGRESS.search(other) for other in before), self
        return line


@dataclasses.dataclass
class Running:
    """A running command. Its process leads a process group."""

    pid: int
    started: float
    server: "CommandServer"
    out: Path
    err: Path

    def wait(self, timeout_s: float = TIMEOUT_S) -> Ended:
        """Waits for the end of the command. Kills it after the timeout."""
        answer = self.server.ask({"wait": self.pid, "timeout_s": timeout_s})
        seconds = time.monotonic() - self.started
        texts = [path.read_text(errors="replace") for path in (self.out, self.err)]
        return Ended(answer["code"], *texts, seconds, answer["bytes"], answer["timed_out"])

    def kill(self, sent: int = signal.SIGKILL) -> Ended:
        """Sends a signal to the command's process, but not to processes that it started, and waits for its end."""
        os.kill(self.pid, sent)
        return self.wait()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> bool:
        """Returns True once the condition holds, or False if the command ends before that."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if not self.is_running():
                return False
            assert time.monotonic() < deadline, self.err.read_text(errors="replace")
            time.sleep(0.001)
        return True

    def is_running(self) -> bool:
        with open(f"/proc/{self.pid}/stat") as file:  # an ended process stays a zombie until `wait`
            return file.read().rpartition(")")[2].split()[0] != "Z"


class CommandServer:
    """Starts commands for all tests of a process. What they print goes to files in `folder`."""

    def __init__(self, folder: Path):
        self._folder, self._count = folder, 0
        paths = [str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "COLUMNS": "200",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("command_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._process.stdout.readline()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(TIMEOUT_S)
        self._process.stdout.close()

    def ask(self, request: dict) -> dict | int:
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        module: str,
        *arguments: object,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        limits: Mapping[str, int] | None = None,
        before: str = "",
    ) -> Running:
        """Starts `python -m module arguments` in `folder`.

        `limits`: soft ones, by the names of module `resource`. `before`: "module:function", called there first.
        """
        self._count += 1
        out, err = (self._folder / f"{self._count:04d}.{stream}" for stream in ("out", "err"))
        for path in (out, err):  # the command may be killed before it opens them
            path.touch()
        request = {
            "module": module,
            "arguments": [os.fsdecode(os.fspath(part)) if isinstance(part, Path) else str(part) for part in arguments],
            "folder": str(folder),
            "environment": dict(environment or {}),
            "limits": dict(limits or {}),
            "before": before,
            "out": str(out),
            "err": str(err),
        }
        started = time.monotonic()
        return Running(self.ask({"start": request}), started, self, out, err)

    def run(self, module: str, *arguments: object, timeout_s: float = TIMEOUT_S, **how) -> Ended:
        """Starts a command and waits for its end."""
        return self.start(module, *arguments, **how).wait(timeout_s)
