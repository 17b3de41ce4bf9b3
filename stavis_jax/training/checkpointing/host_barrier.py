"""The barrier at which the hosts wait for each other while orbax writes a checkpoint."""

import sys
import threading

import orbax.checkpoint as ocp


class HostBarrier:
    """Waits for all hosts, unless writing has failed on this one.

    Orbax lets a host whose write failed wait at one barrier, and the others at another, for 20 minutes. Its thread
    enters the former while it handles the error. This barrier then raises the error again, and the host ends with it.
    """

    def __init__(self) -> None:
        self._wait = ocp.multihost.get_barrier_sync_fn()

    def __call__(self, *, key: str, timeout_ms: int) -> None:
        error = sys.exception()
        if error and threading.current_thread() is not threading.main_thread():
            raise error
        self._wait(key=key, timeout_ms=timeout_ms)
