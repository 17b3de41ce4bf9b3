"""Tests that the device turns 8-bit batches into exactly the clips of the authors' code, mirrored or not."""

import hashlib
import json
import re
from pathlib import Path

import jax
import numpy as np
import PIL
import pytest

from data_pipelines.clips.batches import evaluation_batches
from data_pipelines.inputs.windows import subtract_mean
from data_pipelines.prepare import prepare
from stavis_jax.training.batches.network_inputs import network_inputs
from stavis_jax.training.devices import DataParallel

GOLDEN = Path(__file__).parents[3] / "golden"
EXPECTED = json.loads((GOLDEN / "preprocess.json").read_text())


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def golden_shards(tmp_path_factory) -> Path:
    return prepare(GOLDEN / "preprocess", tmp_path_factory.mktemp("golden") / "shards", size=112, workers=1)


def golden_items() -> dict[str, dict]:
    """Returns the items of 112 pixels that scoring reads too: "val/DIEM_train/0" and so on."""
    items = EXPECTED["items"].items()
    return {key: item for key, item in items if item["sample_size"] == 112 and item["mode"] != "train"}


@pytest.mark.slow
@pytest.mark.skipif(
    PIL.__version__ not in {EXPECTED["pillow"], "12.3.0"}, reason="other versions of Pillow round differently"
)
def test_the_devices_part_gives_the_originals_numbers(golden_shards):
    compared = 0
    for item in golden_items().values():
        subset, split = re.search(r"_(train|test)(?:_(\d))?_fps", item["list"]).groups()
        batches = evaluation_batches(
            golden_shards,
            subset=subset,
            split=int(split or 1),
            windows={"val": "validation", "test": "test"}[item["mode"]],
            batch_size=1,
            databases=[item["database"]],
        )
        batches.set_state({"next_index": item["index"]})
        batch = next(batches)
        batches.close()
        inputs = jax.jit(network_inputs)(batch | {"mirrored": np.array([item["flip"]])})
        found = {"clip": inputs["clip"][0].transpose(3, 0, 1, 2)}
        found |= {"salmap": inputs["density"][0], "binmap": inputs["fixations"][0]}
        name = "audio_fixed_mono_mean" if "audio_fixed_mono_mean" in item else "audio_if_lookup_were_fixed"
        expected = {key: item["bicubic"][key]["sha256"] for key in found}
        assert {key: sha256(array) for key, array in found.items()} == expected
        assert sha256(inputs["waveform"][0]) == item[name]["sha256"]
        compared += 1
    assert compared > 20


def test_clips_and_maps_are_mirrored_where_the_batch_says_so_on_any_number_of_devices():
    rng = np.random.default_rng(0)
    batch = {
        "clip": rng.integers(0, 256, (8, 2, 4, 6, 3), np.uint8),
        "density": rng.integers(0, 256, (8, 4, 6), np.uint8),
        "fixations": rng.integers(0, 2, (8, 4, 6), np.uint8),
        "mirrored": np.arange(8) % 3 == 0,
        "waveform": rng.normal(size=(8, 10)).astype(np.float32),
        "weight": np.ones(8, np.float32),
    }
    step = np.where(batch["mirrored"], -1, 1)
    found = jax.jit(network_inputs)(DataParallel().split_batch(batch))
    assert {array.dtype.name for array in found.values()} == {"float32"}
    for row in range(8):
        np.testing.assert_array_equal(found["clip"][row], subtract_mean(batch["clip"][row])[:, :, :: step[row]])
        for name in ("density", "fixations"):
            np.testing.assert_array_equal(found[name][row], batch[name][row][:, :: step[row]])
    assert found["waveform"].shape == (8, 35_280)
    np.testing.assert_array_equal(found["waveform"][:, 17_635:17_645], batch["waveform"])
    assert not found["waveform"][:, :17_635].any() and not found["waveform"][:, 17_645:].any()


def test_a_clip_that_cannot_be_mirrored_any_more_is_refused():
    with pytest.raises(ValueError, match="clip: float32 with mirrored, expected uint8"):
        network_inputs({"clip": np.zeros((1, 2, 4, 6, 3), np.float32), "mirrored": np.array([True])})
