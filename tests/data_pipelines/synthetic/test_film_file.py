import av
import numpy as np
import pytest

from data_pipelines.synthetic.film_file import write_film_file
from data_pipelines.synthetic.plan import film_plan
from data_pipelines.synthetic.scene import render_frames
from data_pipelines.synthetic.sound import render_film_sound


@pytest.mark.parametrize("fps", [25, 30000 / 1001])
def test_a_film_file_has_the_films_pictures_and_sound(tmp_path, fps):
    plan = film_plan(seed=0, number=1, num_frames=20, fps=fps, frame_size=(64, 48))
    write_film_file(plan, tmp_path / "film.mp4")
    with av.open(tmp_path / "film.mp4") as film:
        assert float(film.streams.video[0].average_rate) == pytest.approx(fps)
        frames = list(film.decode(video=0))
    assert [round(frame.time * fps) for frame in frames] == list(range(20))
    for frame, picture in zip(frames, render_frames(plan), strict=True):
        difference = np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture)
        assert difference.mean() < 8  # H.264 at its default quality
    with av.open(tmp_path / "film.mp4") as film:
        assert film.streams.audio[0].rate == 22_050
        sound = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
    expected = render_film_sound(plan)
    assert 0 <= len(sound) - len(expected) < 2048  # AAC fills its last frames
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.1)
