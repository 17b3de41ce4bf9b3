"""Reads a chain of batches ahead, in threads or in processes, from any position.

grain reads; this is what it leaves open: a position that does not depend on the number of processes, and processes that
end with the program, whichever of them ends first.
"""

import multiprocessing
import os
import signal
import threading
import weakref

import absl.flags
import grain
import numpy as np

from data_pipelines.runtime.errors import UserError

# Batches are large (2.5 MB a clip): two in the making and two waiting keep a device busy; grain's 500 fill the memory.
_READ_OPTIONS = grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
_BATCHES_AHEAD = 2  # of each process
_DEATH_NOTE = "terminated unexpectedly"  # in what grain raises when one of its processes is gone


class BatchReader(grain.DatasetIterator):
    """The batches of `chain` in order. The state is the number of batches given so far, and no more.

    So a state goes on exactly, also with another `num_workers`; 0 reads in threads of this process.
    """

    def __init__(self, chain: grain.MapDataset, num_workers: int = 0):
        super().__init__()
        self._chain = chain
        self._num_workers = num_workers
        self._position = 0
        self._running: list[grain.DatasetIterator] = []  # the one that reads now, or none
        # When Python ends it takes its modules apart, and with them what a later close needs: this comes before.
        weakref.finalize(self, _close_all, self._running)

    def __next__(self) -> dict[str, np.ndarray]:
        """The next batch. Raises UserError if a reading process was killed: by the system, mostly, to save memory."""
        try:
            batch = next(self._reading())
        except StopIteration:
            raise
        except Exception as error:
            self._stop()  # who asks again gets this batch, not the one behind it
            if _DEATH_NOTE not in str(error):
                raise
            raise UserError(
                f"num_workers {self._num_workers}: a process that reads batches was killed, perhaps for want of memory "
                "or of room in /dev/shm. Use fewer of them, or 0, and go on from the last checkpoint."
            ) from None
        self._position += 1
        # Ordinary arrays: grain's own occupy /dev/shm as long as they live, and its cleaning up fails at exit.
        return {key: np.array(value) for key, value in batch.items()} if self._num_workers else batch

    def get_state(self) -> dict[str, int]:
        return {"next_index": self._position}

    def set_state(self, state: dict[str, int]) -> None:
        self._stop()
        self._position = state["next_index"]

    def start_prefetch(self) -> None:
        self._reading().start_prefetch()

    def close(self) -> None:
        """Ends the threads and processes."""
        super().close()
        self._stop()

    def _reading(self) -> grain.DatasetIterator:
        if self._closed:
            raise ValueError("The batches were closed.")
        if not self._running:
            self._running.append(iter(self._ahead(self._chain[self._position :].to_iter_dataset(_READ_OPTIONS))))
        return self._running[0]

    def _stop(self) -> None:
        if self._running:
            _close_all(self._running)

    def _ahead(self, dataset: grain.IterDataset) -> grain.IterDataset:
        if self._num_workers == 0:
            return dataset
        if not absl.flags.FLAGS.is_parsed():
            absl.flags.FLAGS.mark_as_parsed()  # grain's processes read absl flags, which only absl's app.run parses
        options = grain.MultiprocessingOptions(self._num_workers, per_worker_buffer_size=_BATCHES_AHEAD)
        return dataset.mp_prefetch(options, worker_init_fn=_end_with_parent)


def _close_all(running: list[grain.DatasetIterator]) -> None:
    while running:
        running.pop().close()


def _end_with_parent(*_: int) -> None:
    """In a reading process: Ctrl-C is the parent's to answer; a parent that was killed takes this process along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
