import numpy as np
import pytest
from PIL import Image

from stavis_jax.reports.comparison_picture import save_comparison


def test_comparison_shows_every_picture_under_its_title(tmp_path):
    red = np.zeros((20, 30, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    ramp = np.tile(np.linspace(0, 0.1, 30), (20, 1))
    save_comparison(tmp_path / "sheet.png", {"frame": [red, red], "map": [ramp, ramp]}, title="two films")
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    width = pixels.shape[1]
    left, right = pixels[:, : width // 2], pixels[:, width // 2 :]
    assert np.mean((left == [255, 0, 0]).all(-1)) > 0.6
    grey = right[(right[..., 0] == right[..., 1]) & (right[..., 1] == right[..., 2])]
    assert len(np.unique(grey)) >= 30  # the whole ramp, stretched


def test_comparison_needs_a_picture_in_every_cell(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        save_comparison(tmp_path / "sheet.png", {"frame": [np.zeros((4, 4))] * 2, "map": [np.zeros((4, 4))]})
    assert not list(tmp_path.iterdir())
