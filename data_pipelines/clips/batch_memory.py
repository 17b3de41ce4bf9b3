"""Memory of batches. A reading process writes a batch where the training process uses it, so nothing is copied.

A reading process has a few slots of memory that the training process maps too (Linux only). It takes a free slot for a
batch and sends its number. The training process frees the slot when no array of the batch is in use any more. Without a
free slot, and without reading processes, a batch has memory of its own. That is used again too, since fresh pages from
the system cost a fifth of reading.
"""

import dataclasses
import functools
import math
import mmap
import os
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

Layout = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape and dtype of each array of a batch, by name."""

_SLOTS = 8  # per reading process; enough to fill some, queue some, and have some in use by the training process
_FLAGS = mmap.PAGESIZE  # bytes before the first slot; one for each slot says whether it is taken
_ALIGNMENT = 64


class ProcessGoneError(Exception):
    """A reading process ended before its first batch was opened."""


@dataclasses.dataclass(frozen=True)
class SlotBatch:
    """Says where a batch lies in the memory of another process. `rest` holds the arrays that are sent with it."""

    memory: tuple[int, int, int]  # process, file descriptor, start time, because process numbers are used again
    slot: int
    layout: Layout
    rest: dict[str, np.ndarray]

    def open(self) -> dict[str, np.ndarray]:
        """Returns the batch. Its slot is free again when all its arrays are gone. Raises ProcessGoneError."""
        size = _size(self.layout)
        memory = _mapped(self.memory, _FLAGS + _SLOTS * size)
        whole = np.frombuffer(memory, np.uint8, size, _FLAGS + self.slot * size)
        weakref.finalize(whole, _free, memory, self.slot).atexit = False
        return _arrays(whole, self.layout) | self.rest


class _Slots:
    """Manages the slots of this process, which have the same size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor, self._size = -1, 0
        self._memory: mmap.mmap | None = None
        self._born = time.time_ns()

    def take(self, layout: Layout) -> tuple[dict[str, np.ndarray], int] | None:
        """Returns arrays in a free slot and its number, or None if there is none."""
        size = _size(layout)
        with self._lock:
            if self._memory is None:
                self._descriptor, self._size = os.memfd_create("batches"), size
                os.ftruncate(self._descriptor, _FLAGS + _SLOTS * size)
                self._memory = mmap.mmap(self._descriptor, _FLAGS + _SLOTS * size)
            slot = self._memory[:_SLOTS].find(b"\0")
            if slot < 0 or size != self._size:
                return None
            self._memory[slot] = 1
            memory = self._memory
        whole = np.frombuffer(memory, np.uint8, size, _FLAGS + slot * size)
        return _arrays(whole, layout), slot

    def sent(self, slot: int, layout: Layout, rest: dict[str, np.ndarray]) -> SlotBatch:
        return SlotBatch((os.getpid(), self._descriptor, self._born), slot, layout, rest)


_slots: _Slots | None = None


def use_slots() -> None:
    """Makes this process send its batches in slots if the system supports it."""
    global _slots
    if hasattr(os, "memfd_create"):
        _slots = _Slots()


class BatchMemory:
    """Allocates memory for a batch. Fill `arrays`, then return `finished(...)`."""

    def __init__(self, layout: Layout):
        self._layout = layout
        self._slot: int | None = None
        if _slots is not None and layout and (taken := _slots.take(layout)):
            self.arrays, self._slot = taken
        else:
            self.arrays = _arrays(_own_memory(max(_ALIGNMENT, _size(layout))), layout)

    def finished(self, rest: dict[str, np.ndarray]) -> Any:
        """Returns the batch, including the arrays of `rest`."""
        if _slots is None or self._slot is None:
            return self.arrays | rest
        return _slots.sent(self._slot, self._layout, rest)


_spare: dict[int, list[mmap.mmap]] = {}  # size -> memory of batches that are no longer in use


def _own_memory(size: int) -> np.ndarray:
    spare = _spare.setdefault(size, [])
    try:
        memory = spare.pop()
    except IndexError:  # asking first whether there is some would race with other threads
        memory = mmap.mmap(-1, size)
    whole = np.frombuffer(memory, np.uint8)
    weakref.finalize(whole, _keep_spare, spare, memory).atexit = False
    return whole


def _keep_spare(spare: list[mmap.mmap], memory: mmap.mmap) -> None:
    if len(spare) < _SLOTS:
        spare.append(memory)


def _size(layout: Layout) -> int:
    return sum(_aligned_bytes(*array) for array in layout.values())


def _aligned_bytes(shape: tuple[int, ...], dtype: str) -> int:
    return -(-math.prod(shape) * np.dtype(dtype).itemsize // _ALIGNMENT) * _ALIGNMENT


def _arrays(whole: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    arrays, begin = {}, 0
    for name, (shape, dtype) in layout.items():
        size = math.prod(shape) * np.dtype(dtype).itemsize
        arrays[name] = whole[begin : begin + size].view(dtype).reshape(shape)
        begin += _aligned_bytes(shape, dtype)
    return arrays


@functools.lru_cache(64)
def _mapped(memory: tuple[int, int, int], size: int) -> mmap.mmap:
    process, descriptor, _ = memory
    try:
        with open(f"/proc/{process}/fd/{descriptor}", "r+b") as file:
            return mmap.mmap(file.fileno(), size)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(f"process {process} has ended, and its batches with it.") from None


def forget_processes() -> None:
    """Lets go of the memory of ended reading processes. It is unmapped with the last batch in it."""
    _mapped.cache_clear()


def _free(memory: mmap.mmap, slot: int) -> None:
    memory[slot] = 0
