import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import expit

from stavis_jax.maps.pictures import RELEASED_JPEG_QUALITY, saliency_picture

GOLDEN = Path(__file__).parents[2] / "golden"


def test_picture_matches_the_original():
    golden = np.load(GOLDEN / "forward.npz")  # computed by the authors' PyTorch code
    logits, expected = golden["av50_s0/map"].squeeze(), golden["av50_s0/u8"].squeeze()
    pictures = np.stack([saliency_picture(expit(frame)) for frame in logits])
    difference = np.abs(pictures.astype(int) - expected)
    assert difference.max() <= 1  # rounding on the edge of a level
    assert np.mean(difference > 0) < 1e-3


def test_jpegs_have_the_quality_of_the_golden_ones():
    with zipfile.ZipFile(GOLDEN.parent / "golden_metrics" / "video_tree.zip") as tree:
        golden = Image.open(io.BytesIO(tree.read("preds/split1_results/diem/dvid_a/pred_sal_000009.jpg")))
    ours = io.BytesIO()
    golden.convert("L").save(ours, "JPEG", quality=RELEASED_JPEG_QUALITY)
    assert Image.open(ours).quantization == golden.quantization


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
