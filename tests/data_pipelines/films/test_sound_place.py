import numpy as np
import pytest
from made_films import write_film

from data_pipelines.films.film import open_film
from data_pipelines.films.sound_place import sound_place

TONE = np.full((1, 22050), 1000, np.int16)


@pytest.mark.parametrize("sound_seconds", [-0.4, 0.0, 0.5])
def test_sound_of_a_film_leads_by_what_its_file_plays_before_the_first_picture(sound_seconds, tmp_path):
    pictures = np.zeros((10, 48, 64, 3), np.uint8)
    film = open_film(write_film(tmp_path / "film.mkv", pictures, [(sound_seconds, TONE)], start_seconds=1.0))
    found = sound_place(film)
    assert float(found.lead_seconds) == pytest.approx(max(0.0, -sound_seconds), abs=0.002)
    assert (found.path, found.codecs) == (film.path, ("pcm_s16le",))


def test_length_of_a_file_of_sound_is_told(tmp_path):
    film = open_film(write_film(tmp_path / "film.mkv", np.zeros((2, 48, 64, 3), np.uint8), [(0.0, TONE)]))
    assert float(sound_place(film).length_seconds) == pytest.approx(1, abs=0.01)


def test_film_without_sound_has_no_place_of_it(tmp_path):
    assert sound_place(open_film(write_film(tmp_path / "film.mkv", np.zeros((3, 48, 64, 3), np.uint8)))) is None
