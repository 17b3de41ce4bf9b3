"""Puts batches on the devices ahead of the step that uses them, and keeps the position of the step."""

from collections import deque
from collections.abc import Callable
from typing import Any

import grain

from stavis_jax.training.batches.network_inputs import DeviceBatch, HostBatch

Placed = tuple[HostBatch, DeviceBatch]
"""A batch on the host and on the devices."""

IN_FLIGHT = 2  # batches on the devices: the one that a step uses, and the next one


class PlacedBatches(grain.DatasetIterator):
    """Iterates over batches, each as NumPy arrays and as arrays on the devices.

    `batches` is an iterator with get_state and set_state. The state is that of the batches returned so far, without
    those read ahead. An error while reading ahead is raised when its batch is asked for.
    """

    def __init__(self, batches: Any, place: Callable[[HostBatch], DeviceBatch]):
        super().__init__()
        self._batches, self._place = batches, place
        self._ahead: deque[tuple[Placed | Exception, Any]] = deque()  # with the state after it
        self._state = self._batches.get_state()

    def read_ahead(self) -> None:
        """Reads the next batch and starts its copy to the devices. Call it while the devices work."""
        if len(self._ahead) >= IN_FLIGHT - 1:
            return
        try:
            batch = next(self._batches)
            self._ahead.append(((batch, self._place(batch)), self._batches.get_state()))
        except Exception as error:
            self._ahead.append((error, None))

    def __next__(self) -> Placed:
        if not self._ahead:
            self.read_ahead()
        found, state = self._ahead.popleft()
        if isinstance(found, Exception):
            raise found
        self._state = state
        return found

    def get_state(self) -> Any:
        return self._state

    def set_state(self, state: Any) -> None:
        self._ahead.clear()
        self._batches.set_state(state)
        self._state = state
