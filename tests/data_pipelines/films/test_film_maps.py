import pickle

import made_benchmarks
import numpy as np
import pytest

from data_pipelines.films.film_maps import FilmMaps


@pytest.fixture
def maps() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack([made_benchmarks.density_map(rng, (36, 64)) for _ in range(5)])


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_every_frame_is_the_map_that_was_written(tmp_path, maps, pixel_format):
    made_benchmarks.write_grey_film(tmp_path / "maps.mp4", maps, pixel_format)
    found = FilmMaps(tmp_path / "maps.mp4")
    assert list(found) == [1, 2, 3, 4, 5] and found.shape == (36, 64)
    for number in (1, 2, 4, 3, 3, 5):  # backwards too
        assert found[number].dtype == np.float32
        assert np.abs(found[number] - maps[number - 1]).max() < 3  # levels of a film: 219 of 255


def test_frames_beyond_the_film_are_not_there(tmp_path, maps):
    made_benchmarks.write_grey_film(tmp_path / "maps.mp4", maps)
    found = FilmMaps(tmp_path / "maps.mp4")
    assert 0 not in found and 6 not in found and found.get(6) is None


def test_copy_in_another_process_has_a_decoder_of_its_own(tmp_path, maps):
    made_benchmarks.write_grey_film(tmp_path / "maps.mp4", maps)
    found = FilmMaps(tmp_path / "maps.mp4")
    third = found[3]
    copy = pickle.loads(pickle.dumps(found))
    assert np.array_equal(copy[3], third) and np.array_equal(found[4], copy[4])
