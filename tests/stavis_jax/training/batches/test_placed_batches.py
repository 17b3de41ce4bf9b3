"""Batches read ahead: the state is that of the step, errors come in their turn, and memory is not used again early."""

from collections import deque

import grain
import jax
import numpy as np
import pytest

from data_pipelines.clips import batch_memory
from data_pipelines.clips.batch_memory import BatchMemory, SlotBatch
from stavis_jax.training.batches.placed_batches import PlacedBatches
from stavis_jax.training.devices import DataParallel


def batches(count=6, fault_at=None):
    def read(number):
        if number == fault_at:
            raise OSError("the disk is gone")
        return {"number": np.array([number])}

    return iter(grain.MapDataset.range(count).map(read).to_iter_dataset(grain.ReadOptions(0, 0)))


def placed(found):
    return PlacedBatches(found, lambda batch: {"twice": 2 * batch["number"]})


def numbers(found, count):
    return [int(next(found)[0]["number"][0]) for _ in range(count)]


def test_the_state_does_not_count_what_is_read_ahead():
    ahead = placed(batches())
    assert numbers(ahead, 2) == [0, 1]
    ahead.read_ahead()
    ahead.read_ahead()  # one batch is enough
    state = ahead.get_state()
    assert numbers(ahead, 2) == [2, 3]
    resumed = placed(batches())
    resumed.read_ahead()
    resumed.set_state(state)
    batch, on_devices = next(resumed)
    assert batch["number"] == [2] and on_devices["twice"] == [4]


def test_an_error_waits_for_its_batch():
    ahead = placed(batches(fault_at=1))
    assert numbers(ahead, 1) == [0]
    ahead.read_ahead()
    state = ahead.get_state()
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)
    assert ahead.get_state() == state


def test_the_end_is_the_end():
    assert [int(batch["number"][0]) for batch, _ in placed(batches(3))] == [0, 1, 2]


@pytest.mark.skipif(not hasattr(batch_memory.os, "memfd_create"), reason="slots need Linux")
@pytest.mark.parametrize("num_devices", [1, 8])
def test_batches_on_the_devices_keep_their_content_while_slots_are_used_again(num_devices, monkeypatch):
    """On a CPU, arrays on the devices lie in the slots themselves."""
    monkeypatch.setattr(batch_memory, "_slots", None)
    batch_memory.use_slots()
    devices, slots = DataParallel(jax.devices()[:num_devices]), []

    def read(number):
        memory = BatchMemory({"clip": ((8, 4096), "uint8")})
        memory.arrays["clip"][...] = number
        sent = memory.finished({})
        assert isinstance(sent, SlotBatch)  # there is always a free slot
        slots.append(sent.slot)
        return sent.open()

    count = 3 * batch_memory._SLOTS
    found = iter(grain.MapDataset.range(count).map(read).to_iter_dataset(grain.ReadOptions(0, 0)))
    ahead, in_use = PlacedBatches(found, devices.split_batch), deque()
    for number in range(count):
        in_use.append((number, next(ahead)[1]["clip"]))
        ahead.read_ahead()
        if len(in_use) > 2:
            expected, clip = in_use.popleft()
            np.testing.assert_array_equal(clip, np.full((8, 4096), expected))
    assert len(slots) > len(set(slots))
