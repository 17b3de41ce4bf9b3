import numpy as np
import pytest
from PIL import Image

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.baselines import centre_bias, same_map_predictions


@pytest.fixture
def layout(tmp_path):
    (tmp_path / "video_frames").mkdir()
    return RawLayout(tmp_path)


def write_film(layout, name, num_frames, columns):
    """A film whose gaze is on the given columns of 16x24 pixels."""
    density = np.zeros((16, 24), np.uint8)
    density[:, columns] = 200
    for number in range(1, num_frames + 1):
        path = layout.density_path("Own", name, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(density).save(path, format="PNG")
    return ListedFilm("Own", name, num_frames, 25.0)


def test_centre_bias_is_where_the_training_films_were_looked_at(layout):
    film = write_film(layout, "left", 3, slice(0, 8))
    bias = centre_bias(layout, [film], size=(8, 12))
    assert bias.shape == (8, 12) and bias.dtype == np.uint8
    assert bias.max() == 255
    assert (bias[:, :3] > 200).all() and (bias[:, 5:] < 10).all()


def test_long_film_weighs_no_more_than_a_short_one(layout):
    films = [write_film(layout, "left", 5, slice(0, 8)), write_film(layout, "right", 1, slice(16, 24))]
    bias = centre_bias(layout, films, size=(8, 12), frame_step=1)
    assert np.array_equal(bias, bias[:, ::-1])


def test_only_every_so_many_frames_are_read(layout):
    film = write_film(layout, "left", 3, slice(0, 8))
    layout.density_path("Own", "left", 2).write_bytes(b"damaged")
    centre_bias(layout, [film], frame_step=2)
    with pytest.raises(UserError, match="eyeMap_00002"):
        centre_bias(layout, [film], frame_step=1)


def test_training_films_without_gaze_are_an_error(layout):
    with pytest.raises(UserError, match="no density map"):
        centre_bias(layout, [write_film(layout, "dark", 2, slice(0, 0))])
    with pytest.raises(UserError, match="no density map"):
        centre_bias(layout, [ListedFilm("Own", "absent", 2, 25.0)])


def test_every_frame_of_a_test_film_is_given_the_training_films_map(layout):
    training = [write_film(layout, "left", 3, slice(0, 8))]
    (video,) = same_map_predictions(centre_bias(layout, training), [ListedFilm("Own", "new", 40, 25.0)], split=2)
    assert (video.database, video.split, video.video, video.num_frames) == ("Own", 2, "new", 40)
    assert sorted(video.maps) == list(range(1, 41))
    assert np.array_equal(video.maps[40], centre_bias(layout, training))
