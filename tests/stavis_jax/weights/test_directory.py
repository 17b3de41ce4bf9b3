import json
import os

import numpy as np
import pytest
from safetensors import SafetensorError

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo, read_weights, save_weights

INFO = WeightsInfo.of_network(
    NetworkConfig("visual", 18, "A"), size=64, source="run", epoch=7, batches_tracked={"trunk/bn1": 5}
)


@pytest.fixture
def weights():
    draw = np.random.default_rng(0).normal
    return {"trunk/conv1/kernel": np.float32(draw(size=(7, 7, 7, 3, 4))), "fuse/conv/bias": np.float32([-6])}


@pytest.fixture
def saved(tmp_path, weights):
    save_weights(tmp_path / "saved", weights, INFO)
    return tmp_path / "saved"


def test_what_is_saved_is_read_again(saved, weights):
    read, info = read_weights(saved)
    assert info == INFO
    assert read.keys() == weights.keys()
    for name, array in read.items():
        assert isinstance(array, np.ndarray) and array.dtype == np.float32
        np.testing.assert_array_equal(array, weights[name])


def test_arrays_stored_as_float16_are_read_as_float32(tmp_path, weights):
    half = {name: array.astype(np.float16) for name, array in weights.items()}
    save_weights(tmp_path / "half", half, INFO)
    for name, array in read_weights(tmp_path / "half")[0].items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, half[name])


def test_arrays_of_another_format_are_told(tmp_path):
    save_weights(tmp_path / "saved", {"a": np.ones(1, np.float64)}, INFO)
    with pytest.raises(UserError, match=r"^[^\n]*weights\.safetensors: a are neither float32 nor float16[^\n]*$"):
        read_weights(tmp_path / "saved")


def test_info_gives_the_network_and_its_variants():
    assert INFO.network_config() == NetworkConfig("visual", 18, "A")
    assert INFO.network_config("l3mul-s3") == NetworkConfig("l3mul-s3", 18, "A")


def test_existing_directory_is_kept_unless_told(saved, weights):
    with pytest.raises(UserError, match="exists already"):
        save_weights(saved, weights, INFO)
    other = {"fuse/conv/bias": np.float32([3])}
    save_weights(saved, other, INFO, overwrite=True)
    assert read_weights(saved)[0].keys() == other.keys()
    assert os.listdir(saved.parent) == ["saved"]


def test_directory_of_something_else_is_never_overwritten(tmp_path, weights):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="not overwritten"):
        save_weights(tmp_path, weights, INFO, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SafetensorError("Error: No space left on device (os error 28)")]
)
def test_failed_save_leaves_the_old_directory_and_nothing_else(error, saved, weights, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    with pytest.raises(UserError, match="No space left"):
        save_weights(saved, {"a": np.ones(1, np.float32)}, INFO, overwrite=True)
    monkeypatch.undo()
    assert read_weights(saved)[0].keys() == weights.keys()
    assert os.listdir(saved.parent) == ["saved"]


def test_saving_under_a_file_is_told(tmp_path, weights):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        save_weights(tmp_path / "file" / "new", weights, INFO)


def test_foreign_directory_is_told(tmp_path):
    with pytest.raises(UserError, match=r"not a converted checkpoint, it has no stavis\.json"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{ half", "damaged"),
        ("[1, 2]", "damaged.*expected an object"),
        ('{"format": "another"}', "not written by stavis_jax"),
        ('{"format": "stavis_jax weights", "format_version": 99}', "format version 99, this program reads 1"),
        ('{"format": "stavis_jax weights", "format_version": 1, "colour": 3}', "damaged"),
        (
            '{"format": "stavis_jax weights", "format_version": 1, "variant": "visual", "depth": 51, "shortcut": "B"}',
            "damaged.*51",
        ),
        ('{"format": "stavis_jax weights", "format_version": 1, "kind": "other"}', "damaged.*other"),
    ],
)
def test_foreign_or_damaged_description_is_told(saved, content, message):
    (saved / "stavis.json").write_text(content)
    with pytest.raises(UserError, match=rf"^[^\n]*stavis\.json: [^\n]*{message}[^\n]*$"):
        read_weights(saved)


@pytest.mark.parametrize("at", [0, 9, -1])
def test_damaged_arrays_are_told(at, saved):
    path = saved / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^[^\n]*weights\.safetensors: damaged[^\n]*$"):
        read_weights(saved)


def test_lost_or_cut_arrays_are_told(saved):
    path = saved / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"^[^\n]*weights\.safetensors: damaged[^\n]*$"):
        read_weights(saved)
    path.unlink()
    with pytest.raises(UserError, match=r"^[^\n]*weights\.safetensors: cannot be read[^\n]*$"):
        read_weights(saved)


def test_description_is_readable(saved):
    content = json.loads((saved / "stavis.json").read_text())
    assert content["variant"] == "visual" and content["depth"] == 18 and content["batches_tracked"] == {"trunk/bn1": 5}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_arrays_are_readable_for_whom_the_umask_says(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        save_weights(tmp_path / "new", {"a": np.ones(1, np.float32)}, WeightsInfo("soundnet"))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {mode}
