"""A training goes on with another number of devices or of hosts, as the one that was never changed."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from small_training import STEPS_PER_EPOCH, train_small
from test_several_hosts import ATOL, RTOL, assert_close, ends, outcome, start_two

from stavis_jax.training.devices import DataParallel

SETTINGS = {"batch_size": 8, "effective_batch": 8, "epochs": 3, "save_every_steps": 1, "keep_checkpoints": 20}
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


@pytest.fixture(autouse=True)
def promotion_as_users_have_it():
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        yield


def devices(count: int) -> DataParallel:
    return DataParallel(jax.devices()[:count])


def copy_until(step: int, directory: Path, target: Path) -> Path:
    """Copies a training as it was at a step."""
    shutil.copytree(directory, target, ignore=shutil.ignore_patterns("*.npz"))
    for path in (target / "checkpoints").iterdir():
        if int(path.name) > step:
            shutil.rmtree(path)
    return target


@pytest.fixture(scope="module")
def on_eight(small_shards, tmp_path_factory) -> Path:
    """Returns the folder of a training on eight devices, with a checkpoint of each step."""
    directory = tmp_path_factory.mktemp("eight") / "run"
    with jax.numpy_dtype_promotion("standard"):
        train_small(small_shards, directory, devices=devices(8), **SETTINGS)
    return directory


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_training_goes_on_with_fewer_devices(count, on_eight, small_shards, tmp_path):
    directory = copy_until(4, on_eight, tmp_path / "run")
    train_small(small_shards, directory, devices=devices(count), **SETTINGS)
    assert_close(outcome(directory), outcome(on_eight))


def test_a_training_goes_back_and_forth_between_numbers_of_devices(on_eight, small_shards, tmp_path):
    directory = on_eight
    for count, step in ((4, 2), (1, 5), (8, 7)):
        directory = copy_until(step, directory, tmp_path / f"{count}")
        train_small(small_shards, directory, devices=devices(count), **SETTINGS)
    assert_close(outcome(directory), outcome(on_eight))


def test_as_many_devices_as_before_end_bit_for_bit(on_eight, small_shards, tmp_path):
    directory = copy_until(4, on_eight, tmp_path / "run")
    train_small(small_shards, directory, devices=devices(8), **SETTINGS)
    ours, theirs = outcome(directory), outcome(on_eight)
    assert ours[0] == theirs[0]
    for name, array in theirs[1].items():
        np.testing.assert_array_equal(ours[1][name], array, err_msg=name)


def test_films_on_the_devices_move_to_other_devices(on_eight, small_shards, tmp_path):
    directory = copy_until(4, on_eight, tmp_path / "run")
    train_small(small_shards, directory, devices=devices(2), on_device=True, **SETTINGS)
    assert_close(outcome(directory), outcome(on_eight))


def test_the_demo_takes_the_devices_that_its_batch_splits_over(on_eight, small_shards, tmp_path, monkeypatch):
    directory = copy_until(4, on_eight, tmp_path / "run")
    monkeypatch.setattr(jax, "device_count", lambda: 6)
    demo = DataParallel.for_batch(SETTINGS["batch_size"])
    assert demo.num_devices == 2
    train_small(small_shards, directory, devices=demo, **SETTINGS)
    assert_close(outcome(directory), outcome(on_eight))


def test_one_process_then_two_then_one_train_as_one(start_small, tmp_path):
    whole = tmp_path / "whole"
    ends([start_small(whole, devices=4, **SETTINGS)], whole)
    two = copy_until(3, whole, tmp_path / "two")
    ends(start_two(start_small, two, keep_checkpoints=20), two)
    one = copy_until(6, two, tmp_path / "one")
    ends([start_small(one, devices=2, **SETTINGS)], one)
    assert_close(outcome(two), outcome(whole))
    assert_close(outcome(one), outcome(whole))


def test_a_checkpoint_with_a_position_for_each_host_goes_on_with_one_host(on_eight, small_shards, tmp_path):
    """Earlier versions wrote one file for each host, all of the same content."""
    directory = copy_until(4, on_eight, tmp_path / "run")
    folder = directory / "checkpoints" / "4" / "batches"
    shutil.rmtree(folder)
    folder.mkdir()
    for host in range(2):
        (folder / f"process_{host}-of-2.json").write_text(json.dumps({"next_index": 4}))
    train_small(small_shards, directory, devices=devices(8), **SETTINGS)
    assert outcome(directory)[0] == outcome(on_eight)[0]


def test_a_checkpoint_holds_one_position_for_all_hosts(start_small, tmp_path):
    directory = tmp_path / "run"
    ends(start_two(start_small, directory, epochs=1), directory)
    folder = directory / "checkpoints" / str(STEPS_PER_EPOCH) / "batches"
    assert json.loads((folder / "metadata").read_text()) == {"position": {"next_index": STEPS_PER_EPOCH}}
    assert not list(folder.glob("process_*"))


def test_statistics_of_each_device_say_that_the_numbers_change(small_shards, tmp_path, caplog):
    directory = tmp_path / "run"
    train_small(small_shards, directory, devices=devices(4), per_device=True, **SETTINGS | {"epochs": 2})
    train_small(
        small_shards, copy_until(3, directory, tmp_path / "same"), devices=devices(4), per_device=True, **SETTINGS
    )
    assert "BatchNorm" not in caplog.text and "batch_norm" not in caplog.text
    changed = copy_until(3, directory, tmp_path / "changed")
    train_small(small_shards, changed, devices=devices(2), per_device=True, **SETTINGS)
    lines = [record.getMessage() for record in caplog.records if "batch_norm" in record.getMessage()]
    assert lines == [
        "changed: --config.compute.batch_norm=per-device took statistics over 2 clips on each of 4 devices, "
        "and now takes them over 4 on each of 2. The numbers change."
    ]
    losses = [outcome(tmp_path / name)[0] for name in ("same", "changed")]
    assert not np.allclose(*losses, rtol=RTOL, atol=ATOL)  # they do
