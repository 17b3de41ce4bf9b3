import numpy as np
import pytest
from made_films import write_film

from data_pipelines.films.encoded_film import first_picture_seconds
from data_pipelines.films.film import open_film

TONE = np.full((1, 22050), 1000, np.int16)


@pytest.mark.parametrize(("sound_seconds", "waits"), [(0.0, 0.0), (-0.4, 0.4), (0.5, 0.0)])
def test_ffmpeg_counts_from_what_comes_first_picture_or_sound(sound_seconds, waits, tmp_path):
    pictures = np.zeros((10, 48, 64, 3), np.uint8)
    film = write_film(tmp_path / "film.mkv", pictures, [(sound_seconds, TONE)], start_seconds=1.0)
    assert float(first_picture_seconds(open_film(film))) == pytest.approx(waits, abs=0.002)
