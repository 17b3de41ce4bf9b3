"""Windows, crops, target frames and sound limits; the tables were computed by the authors' PyTorch code."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.inputs import windows

TABLES = json.loads((Path(__file__).parents[2] / "golden" / "preprocess.json").read_text())["tables"]


def test_windows_of_every_length_are_the_originals():
    for row in TABLES["windows"]:
        assert [list(window) for window in windows.training_windows(row["frames"])] == row["train_windows"]
        tested = windows.test_windows(row["frames"])
        assert len(tested) == row["test_windows"]
        last = [list(range(first, last + 1)) for first, last in tested[-3:]]
        assert [frames[-16:] for frames in last] == [frames[-16:] for frames in row["test_last_windows"]]


def test_sound_limits_are_the_originals_to_the_sample():
    for row in TABLES["windows"]:
        for frame, begin, end in row.get("limits", []):
            if frame:  # row 0 of the original's table is not a frame
                assert windows.sound_limits(frame, float(row["fps"]), row["rate"], row["samples"]) == (begin, end)
    for film in TABLES["audio_limits"].values():
        for frame in range(1, film["frames"] + 1):
            found = windows.sound_limits(frame, float(film["fps"]), film["rate"], film["samples"])
            assert found == (film["starts"][frame], film["ends"][frame])


@pytest.mark.parametrize("row", TABLES["temporal"], ids=lambda row: "-".join(map(str, row["window"])))
def test_crops_and_targets_are_the_originals(row):
    frames = windows.window_frames(*row["window"])
    assert frames.tolist() == row["loop"]
    assert windows.centre_crop(frames).tolist() == row["center"]
    assert windows.crop(frames, row["random_range"][1]).tolist() == row["random_last"]
    assert windows.target_frame(frames) == row["target_loop"]
    assert windows.target_frame(windows.centre_crop(frames)) == row["target_center"]


def test_last_crop_ends_with_the_window():
    frames = windows.window_frames(5, 94)
    assert windows.crop(frames, windows.num_crops(len(frames)) - 1).tolist() == list(range(79, 95))
    assert windows.num_crops(16) == 1


def test_target_is_rounded_half_to_even():
    assert [windows.target_frame(range(first, first + 16)) for first in (1, 2, 3, 4)] == [8, 10, 10, 12]


def test_waveform_is_centred_under_a_window_that_ends_in_zero():
    found = windows.waveform(np.full(101, 8, np.float32))
    assert found.shape == (35_280,)
    assert found.dtype == np.float32
    excerpt = found[17_640 - 50 : 17_640 + 51]
    assert excerpt[50] == excerpt.max() == 8
    assert excerpt[[0, 100]].tolist() == [0, 0]
    assert np.count_nonzero(found) == np.count_nonzero(excerpt) == 99


@pytest.mark.parametrize("surplus", [1, 2, 11])
def test_longer_sound_keeps_its_centre(surplus):
    excerpt = np.ones(35_280 + surplus, np.float32)
    excerpt[: surplus // 2] = excerpt[35_280 + surplus // 2 :] = np.nan
    np.testing.assert_array_equal(windows.waveform(excerpt), np.hanning(35_280).astype(np.float32))


def test_no_sound_is_silence():
    assert not windows.waveform(np.zeros(0, np.float32)).any()


def test_mean_is_taken_from_each_colour():
    pixels = np.zeros((2, 3, 4, 3), np.uint8)
    pixels[1, 2, 3] = (200, 100, 50)
    found = windows.subtract_mean(pixels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, pixels.astype(np.float32) - np.float32((114.7748, 107.7354, 99.4750)))
