"""Keeps what this process does now. The loop and the journal write it; a watch reads it."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

COMPILING_SECONDS = 3600.0  # what the first step and the first validation may take, which compile


class Pulse:
    """Signs of progress. The methods are cheap, and may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_progress = 0.0
        self._compiled: set[str] = set()
        self._kind = ""  # of the work that is under way; empty outside the loop
        self.doing = "starting"
        self.training: dict[str, Any] = {}

    def progress(self, kind: str) -> None:
        """Notes that a piece of work has ended: a "step", or a "validation" batch."""
        with self._lock:
            self._since_progress = 0.0
            self._compiled.add(kind)

    def step(self, step: int, values: Mapping[str, Any]) -> None:
        """Notes that a training step has ended: how many have, and facts that JSON can hold."""
        self.progress("step")
        first = {} if "first_step" in self.training else {"first_step": step, "first_seconds": time.time()}
        # Replaced at once, since another thread writes it to a file.
        self.training = {**self.training, **first, **values, "step": step, "seconds": time.time()}

    def begin(self, kind: str) -> None:
        """Notes that pieces of another kind follow."""
        with self._lock:
            self._since_progress, self._kind = 0.0, kind

    @contextlib.contextmanager
    def loop(self, **training: Any) -> Iterator[None]:
        """The block is a training loop: from here to its end, pieces of work are expected to end."""
        self.training, before = training, self.doing
        self.doing, self._compiled = "training", set()
        self.begin("step")
        try:
            yield
        finally:
            self.doing = before
            self.begin("")

    def idle(self, elapsed: float) -> float:
        """Adds `elapsed` seconds to the time since the last progress, and returns it."""
        with self._lock:
            self._since_progress += elapsed
            return self._since_progress

    def patience(self, step_seconds: float) -> float | None:
        """Returns how many seconds the work under way may take; None if there is no limit."""
        with self._lock:
            if not self._kind or not step_seconds:
                return None
            return step_seconds if self._kind in self._compiled else max(step_seconds, COMPILING_SECONDS)

    def kind(self) -> str:
        return self._kind


current = Pulse()
