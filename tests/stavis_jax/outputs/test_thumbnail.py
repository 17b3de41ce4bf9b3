from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageFilter

from data_pipelines.films.film import Picture
from stavis_jax.maps.attention import attention_mass
from stavis_jax.outputs.thumbnail import thumbnail, thumbnail_score

TEXTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
SPOT, SPREAD = (np.exp(-(np.mgrid[-8:8, -8:8] ** 2).sum(0) / 2 / sigma**2) for sigma in (1.5, 6))


def blurred(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(6)))


class FilmOf:
    width, height, pixel_aspect = 64, 48, Fraction(1)

    def __init__(self, *frames: np.ndarray):
        self._frames = frames

    def pictures(self):
        for number, pixels in enumerate(self._frames):
            yield Picture(pixels, Fraction(number, 25), None)


@pytest.mark.parametrize(
    ("worse_map", "worse_picture"),
    [(SPREAD, TEXTURE), (SPOT, blurred(TEXTURE)), (SPOT, TEXTURE // 16), (SPOT, np.zeros_like(TEXTURE))],
    ids=["spread", "blurred", "dark", "black"],
)
def test_a_concentrated_sharp_and_light_frame_is_chosen(tmp_path, feed, predicted, worse_map, worse_picture):
    film = FilmOf(worse_picture, TEXTURE, worse_picture)
    feed(thumbnail, tmp_path / "thumbnail.png", film, predicted([worse_map, SPOT, worse_map]))
    with Image.open(tmp_path / "thumbnail.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), TEXTURE)
        assert (picture.text["frame"], picture.text["seconds"]) == ("2", "0.040")
        assert 0 < float(picture.text["score"]) <= 1


def test_what_people_look_at_has_to_be_sharp():
    left = np.zeros((16, 16))
    left[4:12, 2:6] = 1
    picture = blurred(TEXTURE).copy()
    picture[:, 32:] = TEXTURE[:, 32:]  # the right half is sharp
    assert thumbnail_score(attention_mass(left[:, ::-1]), picture) > 3 * thumbnail_score(attention_mass(left), picture)


def test_film_of_black_frames_has_its_first_frame(tmp_path, feed, predicted):
    black = np.zeros_like(TEXTURE)
    feed(thumbnail, tmp_path / "thumbnail.png", FilmOf(black, black), predicted([SPOT, SPOT]))
    with Image.open(tmp_path / "thumbnail.png") as picture:
        assert (picture.text["frame"], picture.size) == ("1", (64, 48))


def test_thumbnail_is_as_wide_as_players_show_the_film(tmp_path, feed, predicted):
    film = FilmOf(TEXTURE)
    film.pixel_aspect = Fraction(3, 2)
    feed(thumbnail, tmp_path / "thumbnail.png", film, predicted([SPOT]))
    with Image.open(tmp_path / "thumbnail.png") as picture:
        assert picture.size == (96, 48)
