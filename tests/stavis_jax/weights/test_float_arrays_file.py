"""Weights are read once, into memory that a model uses in place."""

import jax
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction.model import StavisModel
from stavis_jax.weights.aligned_arrays import ALIGNMENT
from stavis_jax.weights.flat_names import expected_shapes
from stavis_jax.weights.float_arrays_file import read_floats

CONFIG = NetworkConfig("visual", 10)


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0).standard_normal
    shapes = {"odd": (3, 5), "empty": (0, 4), "scalar": (), "half": (7,), "even": (16, 2)}
    return {
        name: np.asarray(draw(shape), np.float16 if name == "half" else np.float32) for name, shape in shapes.items()
    }


def test_arrays_are_those_of_the_safetensors_library_as_float32(arrays, tmp_path):
    safetensors.numpy.save_file(arrays, tmp_path / "a.safetensors", {"about": "text"})
    read = read_floats(tmp_path / "a.safetensors")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array.astype(np.float32), strict=True)


def test_arrays_are_aligned_and_cannot_be_written(arrays, tmp_path):
    safetensors.numpy.save_file(arrays, tmp_path / "a.safetensors")
    for array in read_floats(tmp_path / "a.safetensors").values():
        assert array.ctypes.data % ALIGNMENT == 0
        assert not array.flags.writeable


def test_other_numbers_are_named(arrays, tmp_path):
    safetensors.numpy.save_file(arrays | {"count": np.arange(3)}, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"a\.safetensors: count are neither float32 nor float16$"):
        read_floats(tmp_path / "a.safetensors")


def test_a_file_that_was_cut_short_is_damaged(arrays, tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file(arrays, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(safetensors.SafetensorError):
        read_floats(path)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other devices have memory of their own")
def test_a_model_uses_the_memory_of_the_weights_that_were_read(tmp_path):
    weights = {name: np.ones(shape, np.float32) for name, shape in expected_shapes(CONFIG).items()}
    safetensors.numpy.save_file(weights, tmp_path / "a.safetensors")
    read = read_floats(tmp_path / "a.safetensors")
    model = StavisModel(CONFIG, read)
    for name, array in model.device_weights.items():
        first = array[0] if isinstance(array, tuple) else array
        assert first.unsafe_buffer_pointer() == read[name].ctypes.data, name


def test_a_model_keeps_its_weights_when_the_callers_arrays_change():
    weights = {name: np.ones(shape, np.float32) for name, shape in expected_shapes(CONFIG).items()}
    model = StavisModel(CONFIG, weights)
    for array in weights.values():
        array[...] = 7
    assert all((array == 1).all() for array in model.weights.values())
