"""Runs the command of --notify when a run ends."""

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stavis_jax.watch.ending import Ending, ending_of, told

NOTIFY_SECONDS = 30.0

_log = logging.getLogger("stavis_jax")


class Notifier:
    """Runs a command when the `with` block, which holds the run, ends; see `notify`.

    Attributes:
      speaks: whether this host tells how the block ends. A host that is lost is told of by one that is left.
    """

    def __init__(self, command: str | None, run: Path | str):
        self.command, self.run, self.speaks = command, run, True
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Notifier":
        self._stack.enter_context(told(self._tell_if_told_here))
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stack.close()
        if self.speaks and self.command:
            notify(self.command, self.run, ending_of(error))

    def _tell_if_told_here(self, ending: Ending) -> None:
        if ending.is_told_here and self.command:
            notify(self.command, self.run, ending)


def notify(command: str, run: Path | str, ending: Ending, seconds: float = NOTIFY_SECONDS) -> None:
    """Runs a shell command with the ending in STAVIS_OUTCOME, STAVIS_RUN, STAVIS_MESSAGE and STAVIS_EXIT_CODE.

    A command that fails, or takes longer than `seconds`, is warned of.
    """
    values = {"OUTCOME": ending.outcome, "RUN": run, "MESSAGE": ending.message, "EXIT_CODE": ending.code}
    environment = os.environ | {f"STAVIS_{name}": str(value) for name, value in values.items()}
    try:
        with _started(command, environment) as process:
            code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        _log.warning("--notify: %s has not ended within %g s, so it was killed.", command, seconds)
    except (OSError, ValueError) as error:
        _log.warning("--notify: %s cannot be run (%s).", command, error)
    else:
        if code:
            _log.warning("--notify: %s ended with code %d.", command, code)


@contextlib.contextmanager
def _started(command: str, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Starts a command in a process group of its own, and kills what is left of the group at the end."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
