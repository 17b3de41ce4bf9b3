"""Handles SIGTERM, which a preempted machine receives: the loop saves the current step and ends."""

import signal
import threading
import time

import jax
from jax.experimental import multihost_utils

GRACE_SECONDS = 1.0


class Preemption:
    """In the `with` block, SIGTERM does not end the process. `asked` then returns true on all hosts at one step."""

    def __init__(self):
        self._asked = False
        self._before = None

    def __enter__(self) -> "Preemption":
        # With several hosts, jax.distributed handles the signal. Only the main thread may set handlers.
        if jax.process_count() == 1 and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def asked(self, step: int) -> bool:
        """Returns whether to save and stop. Every host must call this after every step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked

    def asked_between_steps(self) -> bool:
        """Returns whether to save and stop. Always false with several hosts, which agree only at steps."""
        return self._asked

    def asked_soon(self) -> bool:
        """Like `asked_between_steps`, but waits a moment: a signal to all processes may reach a child process first."""
        deadline = time.monotonic() + GRACE_SECONDS
        while not self._asked and time.monotonic() < deadline:
            time.sleep(0.01)
        return self._asked

    def _note(self, *_) -> None:
        self._asked = True
