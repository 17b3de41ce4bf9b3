import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from data_pipelines.drawing.contact_sheet import KEPT_PER_SHOWN
from stavis_jax.outputs.contact_sheet import contact_sheet
from stavis_jax.prediction.frame_prediction import FramePrediction


@dataclasses.dataclass(frozen=True)
class Level:
    pixels: np.ndarray
    seconds: Fraction
    duration_seconds: None = None


class BrighteningFilm:
    """Frame n of `num_frames` is grey of level 255 n / num_frames."""

    frame_rate_hz, sound_path, start_seconds = 25.0, None, Fraction(0)

    def __init__(self, num_frames: int, width: int = 64, height: int = 48, pixel_aspect: Fraction = Fraction(1)):
        self.num_frames, self.width, self.height, self.pixel_aspect = num_frames, width, height, pixel_aspect

    def pictures(self):
        for number in range(self.num_frames):
            level = 255 * number // self.num_frames
            yield Level(np.full((self.height, self.width, 3), level, np.uint8), Fraction(number, 25))


def predictions(num_frames: int):
    for number in range(1, num_frames + 1):
        yield FramePrediction(number, (number - 1) / 25, np.eye(8, dtype=np.float32))


@pytest.mark.parametrize("num_frames", [4, 20, 333])
def test_frames_shown_are_the_middles_of_equal_parts(tmp_path, feed, num_frames):
    feed(contact_sheet, tmp_path / "sheet.png", BrighteningFilm(num_frames), predictions(num_frames), sheet_frames=4)
    with Image.open(tmp_path / "sheet.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (2 * 240 + 36 - 12, 4 * 332 + 12, 3)  # frames over their overlays, four in a row
    levels = [int(pixels[200, 12 + 332 * column + 160, 0]) for column in range(4)]
    middles = (np.arange(4) + 0.5) / 4
    np.testing.assert_allclose(np.array(levels) / 255, middles, atol=1 / num_frames / 2 + 1 / 8 / KEPT_PER_SHOWN + 0.01)


def test_short_film_is_shown_once(tmp_path, feed):
    feed(contact_sheet, tmp_path / "sheet.png", BrighteningFilm(2, 30, 60), predictions(2))
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (2 * (2 * 160 + 12) + 12, 320 + 24)  # upright frames have their overlays beside


def test_frames_are_shown_as_wide_as_players_show_them(tmp_path, feed):
    feed(contact_sheet, tmp_path / "sheet.png", BrighteningFilm(1, 30, 60, Fraction(3)), predictions(1))
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (320 + 24, 2 * 213 + 24)
