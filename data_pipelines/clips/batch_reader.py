"""Reads batches ahead, in threads or processes, from any position.

Adds two things to grain: a position that does not depend on the number of processes, and processes that end with the
program, however it ends.
"""

import signal
import weakref

import absl.flags
import grain
import numpy as np

from data_pipelines.clips import batch_memory
from data_pipelines.clips.batch_memory import ProcessGoneError, SlotBatch, use_slots
from data_pipelines.runtime import processes
from data_pipelines.runtime.errors import UserError

# Batches are large (0.7 MB per clip). Two being read and two waiting keep a device busy; grain's 500 fill the memory.
_READ_OPTIONS = grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
_PROCESS_READ_OPTIONS = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
_BATCHES_AHEAD = 2  # per process
_DEATH_NOTE = "terminated unexpectedly"  # in what grain raises when one of its processes is gone


class BatchReader(grain.DatasetIterator):
    """Iterates over the batches of `chain` in order.

    The state is the number of batches returned so far, so it is valid for any `num_workers`. 0 reads in threads of this
    process.
    """

    def __init__(self, chain: grain.MapDataset, num_workers: int = 0):
        super().__init__()
        self._chain = chain
        self._num_workers = num_workers
        self._position = 0
        self._running: list[grain.DatasetIterator] = []  # the iterator in use, or empty
        # At exit, closes before Python unloads the modules that closing needs.
        weakref.finalize(self, _close_all, self._running)

    def __next__(self) -> dict[str, np.ndarray]:
        """Returns the next batch. Raises UserError if a reading process was killed, as happens when memory is full."""
        try:
            batch = next(self._reading())
            if isinstance(batch, SlotBatch):
                batch = batch.open()
            elif self._num_workers:  # copies, because grain's arrays occupy /dev/shm and fail to clean up at exit
                batch = {key: np.array(value) for key, value in batch.items()}
        except StopIteration:
            raise
        except Exception as error:
            self._stop()  # so that the next call returns this batch, not the one after it
            if not isinstance(error, ProcessGoneError) and _DEATH_NOTE not in str(error):
                raise
            raise UserError(
                f"num_workers {self._num_workers}: a process that reads batches was killed, possibly because memory or "
                "/dev/shm was full. Use fewer processes, or 0, and continue from the last checkpoint."
            ) from None
        self._position += 1
        return batch

    def get_state(self) -> dict[str, int]:
        return {"next_index": self._position}

    def set_state(self, state: dict[str, int]) -> None:
        self._stop()
        self._position = state["next_index"]

    def start_prefetch(self) -> None:
        self._reading().start_prefetch()

    def close(self) -> None:
        """Ends the threads and processes that read."""
        super().close()
        self._stop()

    def _reading(self) -> grain.DatasetIterator:
        if self._closed:
            raise ValueError("The batches were closed.")
        if not self._running:
            options = _PROCESS_READ_OPTIONS if self._num_workers else _READ_OPTIONS
            self._running.append(iter(self._ahead(self._chain[self._position :].to_iter_dataset(options))))
        return self._running[0]

    def _stop(self) -> None:
        if self._running:
            _close_all(self._running)

    def _ahead(self, dataset: grain.IterDataset) -> grain.IterDataset:
        if self._num_workers == 0:
            return dataset
        if not absl.flags.FLAGS.is_parsed():
            absl.flags.FLAGS.mark_as_parsed()  # grain's processes read absl flags, which only absl.app.run parses
        options = grain.MultiprocessingOptions(self._num_workers, per_worker_buffer_size=_BATCHES_AHEAD)
        return dataset.mp_prefetch(options, worker_init_fn=_start_reading_process)


def _close_all(running: list[grain.DatasetIterator]) -> None:
    while running:
        running.pop().close()
    batch_memory.forget_processes()


def _start_reading_process(*_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    processes.end_with_parent()
    use_slots()
