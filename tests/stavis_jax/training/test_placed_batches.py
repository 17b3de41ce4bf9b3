"""Batches read ahead: the state is that of the step, and errors come in their turn."""

import grain
import numpy as np
import pytest

from stavis_jax.training.placed_batches import PlacedBatches


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
