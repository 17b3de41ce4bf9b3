import numpy as np
import pytest

from stavis_jax.outputs.grey_film import GreyFilm
from stavis_jax.prediction.frame_prediction import FramePrediction


def test_grey_film_shows_the_maps_at_their_times(tmp_path, feed, frames_of):
    ramp = np.tile(np.linspace(0.2, 0.3, 32, dtype=np.float32), (16, 1))
    times = (0.0, 0.04, 0.5)
    predictions = [FramePrediction(number, seconds, ramp) for number, seconds in enumerate(times, start=1)]
    feed(GreyFilm(tmp_path / "grey.mp4", 25.0), predictions)
    frames = frames_of(tmp_path / "grey.mp4", "video")
    assert [round(frame.time, 6) for frame in frames] == list(times)
    picture = frames[1].to_ndarray(format="rgb24").astype(int)
    assert picture.shape == (16, 32, 3)
    assert np.abs(picture - picture[..., :1]).max() <= 2  # grey
    np.testing.assert_allclose(picture[8, :, 1], np.linspace(0, 255, 32), atol=6)  # black to white


def test_grey_film_of_the_films_size_is_even(tmp_path, feed, predicted, frames_of):
    feed(GreyFilm(tmp_path / "grey.mp4", 25.0, (65, 49)), predicted(np.random.default_rng(0).random((2, 8, 8))))
    assert {(frame.width, frame.height) for frame in frames_of(tmp_path / "grey.mp4", "video")} == {(64, 48)}


def test_unfinished_grey_film_can_be_closed(tmp_path, predicted):
    sink = GreyFilm(tmp_path / "grey.mp4", 25.0)
    sink.close()
    sink.add(predicted([np.eye(8)])[0])
    sink.close()
    sink.close()


@pytest.mark.parametrize("frame_rate_hz", [1 / 60, 500])
def test_films_of_the_slowest_and_the_fastest_rate_keep_their_times(tmp_path, feed, frames_of, frame_rate_hz):
    times = [number / frame_rate_hz for number in range(4)]
    maps = [FramePrediction(number, time, np.eye(16, dtype=np.float32)) for number, time in enumerate(times, start=1)]
    feed(GreyFilm(tmp_path / "grey.mp4", frame_rate_hz), maps)
    assert [frame.time for frame in frames_of(tmp_path / "grey.mp4", "video")] == pytest.approx(times)
