"""Batches in memory that two processes share: a slot is used again when its batch is gone, and not before."""

import gc
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.clips import batch_memory
from data_pipelines.clips.batch_memory import BatchMemory, SlotBatch

LAYOUT = {"clip": ((2, 3), "uint8"), "waveform": ((2, 5), "float32")}
pytestmark = pytest.mark.skipif(not hasattr(batch_memory.os, "memfd_create"), reason="slots need Linux")


def filled(number: int):
    memory = BatchMemory(LAYOUT)
    for array in memory.arrays.values():
        array[...] = number
    return memory.finished({"film": np.array([number])})


@pytest.fixture
def slots(monkeypatch):
    """Makes this process both the one that reads and the one that uses the batches."""
    monkeypatch.setattr(batch_memory, "_slots", None)
    batch_memory.use_slots()


def test_a_slot_waits_until_the_last_array_is_gone(slots):
    sent = [filled(number) for number in range(batch_memory._SLOTS)]
    assert sorted(batch.slot for batch in sent) == list(range(batch_memory._SLOTS))
    assert isinstance(filled(99), dict)  # no slot is free, so the batch has memory of its own
    first = sent[3].open()
    kept = first["waveform"][1:]
    del first
    gc.collect()
    assert isinstance(filled(99), dict)
    assert (kept == 3).all()
    del kept
    gc.collect()
    again = filled(99)
    assert isinstance(again, SlotBatch) and again.slot == 3
    batch = again.open()
    assert {name: (array.shape, array.dtype.name) for name, array in batch.items()} == LAYOUT | {
        "film": ((1,), "int64")
    }
    assert all((array == 99).all() for array in batch.values())


def test_memory_of_its_own_is_used_again_when_the_last_array_is_gone():
    first, second = filled(1), filled(2)
    kept = first["clip"][1:]
    place = first["clip"].ctypes.data
    del first
    gc.collect()
    assert filled(3)["clip"].ctypes.data != place
    assert (kept == 1).all() and (second["waveform"] == 2).all()
    del kept
    gc.collect()
    assert filled(4)["clip"].ctypes.data == place


def test_the_memory_of_ended_processes_goes_with_their_last_batch(slots):
    def mappings():
        return Path("/proc/self/maps").read_text().count("memfd:batches")

    batch_memory.forget_processes()  # those of other tests
    gc.collect()
    batch = filled(1).open()
    before = mappings()
    batch_memory.forget_processes()
    gc.collect()
    assert mappings() == before  # the batch is still in use
    assert (batch["clip"] == 1).all()
    del batch
    gc.collect()
    assert mappings() == before - 1
