from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError

DURATIONS_MS = [100, 200, 300, 100]


@pytest.fixture
def frames() -> list[Image.Image]:
    return [Image.fromarray(np.full((48, 64, 3), 60 * number, np.uint8)) for number in range(4)]


@pytest.mark.parametrize("name", ["film.webp", "film.gif", "film.apng", "film.png"])
def test_every_frame_is_shown_at_its_time(tmp_path, frames, name):
    kind = "PNG" if "png" in name else None
    lossless = {"lossless": True} if "webp" in name else {}
    path = tmp_path / name
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=DURATIONS_MS, **lossless)
    film = open_film(path)
    pictures = list(film.pictures())
    assert [picture.seconds for picture in pictures] == [Fraction(time, 10) for time in (0, 1, 3, 6)]
    assert [int(picture.pixels[20, 20, 0]) for picture in pictures] == [0, 60, 120, 180]
    assert (film.width, film.height) == (64, 48)
    assert film.num_frames in (4, None)
    assert len(list(film.frames(16))) == 4 and not film.has_sound


def test_one_frame_is_a_single_picture_and_a_damaged_one_is_one_line(tmp_path, frames):
    frames[0].save(tmp_path / "one.webp")
    with pytest.raises(UserError, match="is a single picture"):
        open_film(tmp_path / "one.webp")
    frames[0].save(tmp_path / "cut.webp", save_all=True, append_images=frames[1:])
    content = (tmp_path / "cut.webp").read_bytes()
    (tmp_path / "cut.webp").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"cut\.webp: "):
        list(open_film(tmp_path / "cut.webp").pictures())
