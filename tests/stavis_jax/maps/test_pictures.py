from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from stavis_jax.maps.pictures import saliency_picture

GOLDEN = Path(__file__).parents[2] / "golden"


def test_picture_matches_the_original():
    golden = np.load(GOLDEN / "forward.npz")  # computed by the authors' PyTorch code
    logits, expected = golden["av50_s0/map"].squeeze(), golden["av50_s0/u8"].squeeze()
    pictures = np.stack([saliency_picture(expit(frame)) for frame in logits])
    difference = np.abs(pictures.astype(int) - expected)
    assert difference.max() <= 1  # rounding on the edge of a level
    assert np.mean(difference > 0) < 1e-3


def test_constant_map_is_black():
    np.testing.assert_array_equal(saliency_picture(np.full((4, 5), 0.7, np.float32)), np.zeros((4, 5), np.uint8))


def test_picture_of_a_films_size_keeps_the_peak_in_place():
    saliency_map = np.zeros((112, 112), np.float32)
    saliency_map[28:30, 83:85] = 1
    picture = saliency_picture(saliency_map, (640, 360))
    assert picture.shape == (360, 640)
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    assert (row, column) == (pytest.approx(29 / 112 * 360, abs=3), pytest.approx(84 / 112 * 640, abs=3))
    assert picture.min() == 0
