"""Films on the devices: a step gathers there the clips that the host would have read."""

import json

import jax
import numpy as np
import pytest
from small_training import STEPS_PER_EPOCH, train_small

from data_pipelines.clips.batches import training_batches
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.reader import Shards
from stavis_jax.training import loop
from stavis_jax.training.batches import device_films
from stavis_jax.training.batches.device_films import TPU_ORDER, DeviceFilms
from stavis_jax.training.batches.network_inputs import HOST_KEYS
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.journal import SPEED


@pytest.fixture(autouse=True)
def promotion_as_users_have_it():
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        yield


def frames_of_films(shards) -> dict[int, int]:
    stored = Shards(shards)
    return {film: stored.films[film].num_frames for film in stored.lists["train"]["1"]}


def place(shards, devices) -> DeviceFilms:
    return DeviceFilms(Shards(shards), frames_of_films(shards), devices)


def on_devices(devices, batch):
    return devices.split_batch({name: array for name, array in batch.items() if name not in HOST_KEYS})


@pytest.mark.parametrize("num_devices", [1, 8])
def test_an_epochs_clips_are_those_of_the_host(num_devices, small_shards):
    """After the third batch, the position is handed to a new reader. Neither films nor frames split evenly by 8."""
    devices = DataParallel(jax.devices()[:num_devices])
    films, settings = place(small_shards, devices), {"split": 1, "batch_size": 8, "seed": 3}
    num_frames = frames_of_films(small_shards)
    assert len(num_frames) % 8 and sum(num_frames.values()) % 8
    gather = jax.jit(films.gather)
    assert {len(array.sharding.device_set) for array in films.arrays.values()} == {num_devices}
    host, plans = (training_batches(small_shards, **settings, pixels=pixels) for pixels in (True, False))
    for number in range(6):
        if number == 3:
            state, plans = plans.get_state(), training_batches(small_shards, **settings, pixels=False)
            plans.set_state(state)
        batch = next(host)
        expected = {name: array for name, array in batch.items() if name not in HOST_KEYS}
        found = gather(films.arrays, on_devices(devices, films.rows(next(plans))))
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)
            assert found[name].dtype == array.dtype


@pytest.mark.slow
def test_on_a_tpu_a_frame_lies_in_one_place(small_shards, monkeypatch):
    devices, settings = DataParallel(jax.devices()[:8]), {"split": 1, "batch_size": 8, "seed": 3}
    usual = place(small_shards, devices)
    needed = []
    monkeypatch.setattr(DeviceFilms, "_check_memory", lambda _, num_bytes: needed.append(num_bytes))
    monkeypatch.setattr(device_films, "_is_tpu", lambda _: True)
    films = place(small_shards, devices)
    assert needed == [len(films.arrays["clip"]) * 16 * 128 * 5]  # rows of 16 pixels are padded to 128
    orders = {name: array.format.layout.major_to_minor for name, array in films.arrays.items()}
    assert orders == TPU_ORDER and usual.arrays["clip"].format.layout.major_to_minor == (0, 1, 2, 3)
    batch = on_devices(devices, films.rows(next(training_batches(small_shards, **settings, pixels=False))))
    gather = jax.jit(films.gather).lower(films.arrays, batch).compile()
    arrays, _ = gather.input_formats[0]
    assert {name: one.layout.major_to_minor for name, one in arrays.items()} == TPU_ORDER  # nothing is copied before
    for name, array in gather(films.arrays, batch).items():
        np.testing.assert_array_equal(array, usual.gather(usual.arrays, batch)[name], err_msg=name)


class NumberedFrames:
    """A film whose frames are filled with their numbers."""

    size = 2

    def copy_images(self, film, frames, out):
        out[...] = np.reshape(frames, (-1, 1, 1, 1)) + 100 * film

    def copy_maps(self, film, frame, density, fixations):
        density[...], fixations[...] = frame + 100 * film, frame % 2


def test_fewer_frames_than_devices_leave_some_without_any():
    devices = DataParallel(jax.devices()[:8])
    films = DeviceFilms(NumberedFrames(), {1: 1, 0: 2}, devices)
    frames = np.array([[1] * 16] * 3 + [[2] * 16] + [[1] * 16] * 4)
    batch = {"film": np.array([1, 0, 1, 0, 1, 1, 0, 0]), "frames": frames, "target_frame": frames[:, 0]}
    found = jax.jit(films.gather)(films.arrays, on_devices(devices, films.rows(batch)))
    expected = [101, 1, 101, 2, 101, 101, 1, 1]
    np.testing.assert_array_equal(found["clip"][:, :, 1, 1, 2], np.repeat(expected, 16).reshape(8, 16))
    np.testing.assert_array_equal(found["density"][:, 0, 1], expected)


def outcome(directory):
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    with np.load(directory / "last.npz") as weights:
        return [{key: line[key] for key in line.keys() - set(SPEED)} for line in lines], dict(weights)


@pytest.mark.slow
def test_a_training_that_was_cut_goes_on_as_if_it_never_was(small_shards, tmp_path, monkeypatch):
    """The training goes on from step 4, amid an accumulated gradient and amid an epoch."""
    settings = {"devices": DataParallel(jax.devices()[:8]), "batch_size": 8, "effective_batch": 24}
    settings |= {"on_device": True, "epochs": 2, "save_every_steps": 2}
    train_small(small_shards, tmp_path / "whole", **settings)

    class CutError(Exception):
        pass

    def cut(training, *values):
        if training.num_steps == STEPS_PER_EPOCH + 1:
            raise CutError
        log(training, *values)

    log = loop._Training.log
    monkeypatch.setattr(loop._Training, "log", cut)
    with pytest.raises(CutError):
        train_small(small_shards, tmp_path / "cut", **settings)
    monkeypatch.setattr(loop._Training, "log", log)
    train_small(small_shards, tmp_path / "cut", **settings)
    (rows, weights), (expected_rows, expected) = (outcome(tmp_path / name) for name in ("cut", "whole"))
    assert rows == expected_rows
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array, err_msg=name)


def test_memory_that_runs_out_while_films_are_placed_is_not_blamed_on_the_batch(monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 5 bytes.")

    monkeypatch.setattr(jax, "device_put", full)
    with pytest.raises(UserError, match=r"^--config.data.placement=device: does not fit into memory.*placement=host"):
        DeviceFilms(NumberedFrames(), {0: 2}, DataParallel(jax.devices()[:1]))


def test_films_that_do_not_fit_say_how_much_they_need(small_shards, monkeypatch):
    monkeypatch.setattr(device_films, "_free_bytes", lambda devices: 40_000)
    with pytest.raises(UserError, match=r"placement=device: the films need 0\.0 GB, and the 8 devices have 0\.0 GB"):
        place(small_shards, DataParallel())
