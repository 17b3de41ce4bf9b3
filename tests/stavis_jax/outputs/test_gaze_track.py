import csv
import math
from types import SimpleNamespace

import numpy as np
import pytest

from stavis_jax.outputs.gaze_track import gaze_point, gaze_track


def test_point_of_a_single_pixel():
    saliency = np.full((8, 8), 0.1, np.float32)  # what is everywhere alike pulls nothing to the middle
    saliency[1, 6] = 0.9
    point = gaze_point(saliency, 160, 80)
    assert (point.center_x_px, point.center_y_px) == (pytest.approx(130), pytest.approx(15))
    assert (point.peak_x_px, point.peak_y_px) == (130, 15)
    assert point.spread_px == pytest.approx(0, abs=1e-6)
    assert point.entropy_bits == 0


def test_two_equal_pixels_have_their_middle_half_their_distance_and_one_bit():
    saliency = np.zeros((8, 8), np.float32)
    saliency[4, 1] = saliency[4, 5] = 0.5
    point = gaze_point(saliency, 80, 80)
    assert (point.center_x_px, point.center_y_px) == (pytest.approx(35), pytest.approx(45))
    assert (point.peak_x_px, point.peak_y_px) == (15, 45)
    assert point.spread_px == pytest.approx(20)
    assert point.entropy_bits == pytest.approx(1)


def test_constant_map_is_as_uncertain_as_can_be():
    point = gaze_point(np.full((16, 16), 0.3, np.float32), 64, 48)
    assert (point.center_x_px, point.center_y_px) == (pytest.approx(32), pytest.approx(24))
    assert point.entropy_bits == pytest.approx(8)


def test_spread_of_a_blob_is_its_standard_deviation_in_both_directions():
    rows, columns = np.mgrid[:64, :64]
    blob = np.exp(-((rows - 30.5) ** 2 + (columns - 30.5) ** 2) / (2 * 4.0**2)).astype(np.float32)
    point = gaze_point(blob, 128, 128)
    assert point.spread_px == pytest.approx(math.sqrt(2) * 8, rel=0.01)


def test_table_has_a_line_a_frame(tmp_path, feed, predicted):
    film = SimpleNamespace(width=64, height=48)
    feed(gaze_track, tmp_path / "track.csv", film, predicted(np.random.default_rng(0).random((5, 8, 8))))
    with open(tmp_path / "track.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == [1, 2, 3, 4, 5]
    assert [float(row["seconds"]) for row in rows] == [0.0, 0.04, 0.08, 0.12, 0.16]
    for row in rows:
        assert 0 < float(row["center_x_px"]) < 64 and 0 < float(row["center_y_px"]) < 48
        assert float(row["peak_x_px"]) % 8 == 4 and float(row["peak_y_px"]) % 6 == 3  # middles of the map's pixels
        assert 5 < float(row["entropy_bits"]) < 6
