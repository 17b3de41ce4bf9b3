"""Clips against what the authors' data set returns for the same raw data, item by item, for both resizing filters."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import PIL
import pytest

from data_pipelines import open_clips
from data_pipelines.clips.transforms import FlipLeftRight
from data_pipelines.inputs import windows as clips

GOLDEN = Path(__file__).parents[2] / "golden"
EXPECTED = json.loads((GOLDEN / "preprocess.json").read_text())
WINDOWS = {"val": "validation", "train": "train", "test": "test"}
BIT_EXACT = {EXPECTED["pillow"], "12.3.0"}  # versions of Pillow that decode and resize to the same bits
GREY_LEVELS = 2  # between versions of Pillow and libjpeg
SOUND_ATOL = 1e-4  # float32 in [-256, 256)


def open_golden(shards, item):
    subset, split = re.search(r"_(train|test)(?:_(\d))?_fps", item["list"]).groups()
    return open_clips(shards, subset, int(split or 1), WINDOWS[item["mode"]], [item["database"]])


def golden_clip(shards, item):
    source = open_golden(shards, item)
    if item["mode"] != "train":
        return source[item["index"]]
    begin = item["crop_range"][1] if item["begin"] == "last" else item["begin"]
    return source.read(item["index"], clips.crop(source.frames(item["index"]), begin))


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "preprocess.npz") as content:
        return dict(content)


@pytest.mark.slow
@pytest.mark.parametrize("resize_filter", ["bicubic", "nearest"])
@pytest.mark.parametrize("key", EXPECTED["items"])
def test_clip_and_maps_are_the_originals(key, resize_filter, golden_shards, arrays):
    item = EXPECTED["items"][key]
    found = golden_clip(golden_shards(item["sample_size"], resize_filter), item)
    found = FlipLeftRight(probability=float(item["flip"])).random_map(found, np.random.default_rng(0))
    layouts = {"clip": found["clip"].transpose(3, 0, 1, 2), "salmap": found["density"], "binmap": found["fixations"]}
    if PIL.__version__ in BIT_EXACT:
        assert {name: sha256(array) for name, array in layouts.items()} == {
            name: item[resize_filter][name]["sha256"] for name in layouts
        }
    frame = layouts["clip"][:, 8] + np.float32(clips.MEAN_RGB)[:, None, None]
    np.testing.assert_allclose(frame, arrays[f"{key}/{resize_filter}/frame8_uint8"], atol=GREY_LEVELS)
    salmap, binmap = (arrays[f"{key}/{resize_filter}/{name}_uint8"][0] for name in ("salmap", "binmap"))
    np.testing.assert_allclose(found["density"], salmap, atol=GREY_LEVELS)
    np.testing.assert_array_equal(found["fixations"], binmap)


@pytest.mark.parametrize("key", EXPECTED["items"])
def test_frames_target_and_number_of_clips_are_the_originals(key, golden_shards):
    item = EXPECTED["items"][key]
    shards = golden_shards(item["sample_size"], "bicubic")
    found = golden_clip(shards, item)
    assert len(open_golden(shards, item)) == item["dataset_length"]
    assert (found["database"], found["video"]) == (item["database"], item["video"])
    assert found["frames"].tolist() == item["frames"]
    assert found["target_frame"] == item["target_frame"]


@pytest.mark.parametrize("key", EXPECTED["items"])
def test_sound_is_the_originals_with_every_film_found_and_stereo_averaged(key, golden_shards, arrays):
    item = EXPECTED["items"][key]
    found = golden_clip(golden_shards(item["sample_size"], "bicubic"), item)["waveform"]
    # The original is silent for the last film of a list and stops at stereo; these two are mended.
    name = "audio_fixed_mono_mean" if "audio_fixed_mono_mean" in item else "audio_if_lookup_were_fixed"
    assert found.shape == (35_280,)
    assert np.any(found) == (item[name]["max"] > 0)
    assert sha256(found) == item[name]["sha256"]
    for stored in ("audio_fixed_mono_mean", "audio_fixed", "audio"):
        if f"{key}/{stored}" in arrays:
            np.testing.assert_allclose(found, arrays[f"{key}/{stored}"][0, 0], rtol=0, atol=SOUND_ATOL)
            break


def test_whole_clips_differ_nowhere_from_the_stored_ones(golden_shards, arrays):
    for key in ("val/DIEM_train/0", "test/DIEM_train/25"):
        found = golden_clip(golden_shards(112, "bicubic"), EXPECTED["items"][key])
        np.testing.assert_allclose(found["clip"].transpose(3, 0, 1, 2), arrays[f"{key}/clip"], atol=GREY_LEVELS)
        np.testing.assert_allclose(found["density"], arrays[f"{key}/salmap"][0], atol=GREY_LEVELS)


@pytest.mark.parametrize("name", EXPECTED["tables"]["test_windows"])
def test_every_test_window_is_the_originals(name, golden_shards):
    subset, split = re.search(r"_(train|test)(?:_(\d))?_fps", name).groups()
    source = open_clips(golden_shards(64, "bicubic"), subset, int(split or 1), "test", [name.split("_")[0]])
    windows = EXPECTED["tables"]["test_windows"][name]
    assert len(source) == len(windows)
    for index, (video, length, first, last, target, begin, end) in enumerate(windows):
        film, frames = source.films[source.film_index(index)], source.frames(index)
        limits = [clips.sound_limits(frame, film.fps, film.sound_rate_hz, film.num_samples) for frame in (first, last)]
        assert (film.name, len(set(frames.tolist())), frames[0], frames[-1]) == (video, length, first, last)
        assert clips.target_frame(frames) == target
        assert (limits[0][0], limits[1][1]) == (begin, end)
