"""Heartbeats: RUN/hosts/<n>.json says that host n of a run is alive, and what it does. Imports no JAX."""

import dataclasses
import errno
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipelines.runtime.atomic import write_text
from data_pipelines.runtime.regular_files import require_regular

FOLDER = "hosts"
FULL = (errno.ENOSPC, errno.EDQUOT)
MOST_BYTES = 1 << 20  # of a heartbeat, which has some hundreds
MOST_SECONDS = 1e12  # since 1970
RUNNING, FINISHED, FAILED, STOPPED, INTERRUPTED, LOST = (
    "running", "finished", "failed", "stopped", "interrupted", "lost"
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Beat:
    """The content of a heartbeat file.

    Attributes:
      host, hosts: number of this host, from 0, and number of all hosts.
      name: the machine's name.
      machine: identifies the machine, or its container, until it restarts. Process numbers are unique in it.
      process, born: process number, and when the process started, in the kernel's ticks.
      count: number of the beat. It rises while the process lives.
      seconds: time since 1970, by this machine's clock.
      state: RUNNING, or how the process ended.
      message, code: the line with which it ended, and its exit code.
      doing: what it does, such as "training".
      training: the latest step, see `stavis_jax.watch.pulse`.
    """

    host: int
    hosts: int
    name: str
    machine: str
    process: int
    born: str
    count: int
    seconds: float
    state: str = RUNNING
    message: str = ""
    code: int = 0
    doing: str = "starting"
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def first(cls, host: int, hosts: int) -> "Beat":
        """Returns the first beat of this process."""
        process = os.getpid()
        return cls(host, hosts, socket.gethostname(), this_machine(), process, born(process), 0, time.time())

    def write(self, folder: Path) -> None:
        """Writes FOLDER/<host>.json, whole or not at all. Raises OSError if it cannot.

        On a full disk, it takes the place of the beat before, which readers may then see half written.
        """
        path, text = folder / f"{self.host}.json", json.dumps(dataclasses.asdict(self)) + "\n"
        try:
            write_text(path, text)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _overwrite(path, text)

    def process_is_alive(self) -> bool | None:
        """Returns whether the process exists. None on another machine, which cannot be asked."""
        if not self.machine or self.machine != this_machine():
            return None
        return born(self.process) == self.born != ""


def _overwrite(path: Path, text: str) -> None:
    """Replaces the content of a file. A file of one block needs no more room for that."""
    with path.open("r+", encoding="utf-8") as file:
        file.write(text)
        file.truncate()


def read(path: Path) -> Beat | None:
    """Returns the beat in a file, or None if there is none or it is damaged."""
    try:
        return parse(read_content(path))
    except OSError:
        return None


def read_content(path: Path) -> bytes:
    """Returns the content of a heartbeat file. Raises OSError if it cannot be read or is no such file."""
    require_regular(path, MOST_BYTES)
    return path.read_bytes()


def parse(content: bytes) -> Beat | None:
    """Returns the beat in the content of a file, or None if it is damaged."""
    try:
        values = json.loads(content)
        beat = Beat(**{field.name: values[field.name] for field in dataclasses.fields(Beat)})
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    numbers = (beat.host, beat.hosts, beat.process, beat.count, beat.code)
    texts = (beat.name, beat.machine, beat.born, beat.state, beat.message, beat.doing)
    fits = all(type(number) is int for number in numbers) and all(isinstance(text, str) for text in texts)
    return beat if fits and _is_time(beat.seconds) and isinstance(beat.training, dict) else None


def _is_time(seconds: Any) -> bool:
    return type(seconds) in (int, float) and abs(seconds) < MOST_SECONDS


def this_machine() -> str:
    """Returns what identifies this machine or container until it restarts; empty where the system does not say."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def born(process: int) -> str:
    """Returns when a process of this machine started, in the kernel's ticks; empty if there is no such process."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] in ("Z", "X") else after_name[19]
