"""The film of two cuts: grey pictures whose level tells the frame, and maps with one salient quarter."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import write_film

from data_pipelines.films.film import Film, open_film
from stavis_jax.cuts.compare_film import pane_sizes, write_compare_film

TONE = (8000 * np.sin(np.arange(22050) / 5)).astype(np.int16)[None]


def film_of(path: Path, levels, size=(96, 64), rate_hz=25, sound=(), **how) -> Film:
    pictures = [np.full((size[1], size[0], 3), level, np.uint8) for level in levels]
    return open_film(write_film(path, pictures, sound, frame_rate_hz=rate_hz, time_base=Fraction(1, 90000), **how))


def maps_of(count: int, corner: int) -> np.ndarray:
    """Returns maps whose salient quarter is the upper left (0) or the lower right (1) one."""
    maps = np.zeros((count, 8, 8), np.uint8)
    maps[:, 4 * corner : 4 * corner + 4, 4 * corner : 4 * corner + 4] = 255
    return maps


def written(path: Path, films, maps, captions=("", "")) -> list[av.VideoFrame]:
    times = list(write_compare_film(path, films, maps, captions))
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx([float(time) for time in times], abs=1e-4)
    return frames


def grey(frame: av.VideoFrame) -> np.ndarray:
    return frame.to_ndarray(format="gray").astype(int)


def test_each_cut_has_its_own_frame_and_heat_and_is_dark_after_its_end(tmp_path):
    one = film_of(tmp_path / "one.mkv", [60 + 2 * number for number in range(30)])
    other = film_of(tmp_path / "other.mkv", [160] * 20)
    frames = written(tmp_path / "film.mp4", (one, other), (maps_of(30, 0), maps_of(20, 1)))
    assert len(frames) == 30 and {(frame.width, frame.height) for frame in frames} == {(96 + 4 + 96, 64)}
    colours = frames[10].to_ndarray(format="rgb24").astype(int)
    yellow = colours[..., 0] - colours[..., 2]  # inferno ends in yellow
    assert yellow[16, 24] > 45 and yellow[48, 100 + 72] > 45
    assert abs(yellow[48, 72]) < 30 and abs(yellow[16, 100 + 24]) < 30
    plain = np.array([(grey(frame)[48, 72], grey(frame)[16, 100 + 24]) for frame in frames])
    assert plain[25, 0] - plain[5, 0] == pytest.approx(34, abs=6)  # 20 frames, of 219 levels in 255
    assert np.ptp(plain[:20, 1]) <= 4 and plain[:20, 1].min() > 120
    assert plain[20:, 1].max() < 25 and grey(frames[25])[:, 100:].max() < 40


def test_every_frame_of_cuts_of_different_rates_is_seen_at_its_time(tmp_path):
    one = film_of(tmp_path / "one.mkv", [40] * 25, rate_hz=25)
    other = film_of(tmp_path / "other.mkv", [80 + 2 * number for number in range(60)], size=(40, 40), rate_hz=60)
    frames = written(tmp_path / "film.mp4", (one, other), (maps_of(25, 0), maps_of(60, 0)))
    times = np.array([frame.time for frame in frames])
    of_both = np.concatenate([np.arange(25) / 25, np.arange(60) / 60])
    assert all(np.abs(times - time).min() < 0.0051 for time in of_both)
    assert len(frames) == 25 + 60 - 15  # 15 frames of one are within 5 ms of one of the other
    assert (np.diff(times) > 0.003).all()
    level = [grey(frame)[50, 100 + 50] for frame in frames]
    assert (np.diff(level[:-1]) >= -2).all() and level[-2] - level[0] > 80


def test_times_that_containers_round_are_one_moment(tmp_path):
    one = film_of(tmp_path / "one.mkv", [40] * 24, times_ms=[round(number * 1000 / 23.976) for number in range(24)])
    other = film_of(tmp_path / "other.mkv", [40] * 24, times_ms=[int(number * 1000 / 23.976) for number in range(24)])
    assert len(written(tmp_path / "film.mp4", (one, other), (maps_of(24, 0), maps_of(24, 0)))) == 24


def test_sound_is_that_of_the_first_cut(tmp_path):
    silent = film_of(tmp_path / "silent.mkv", [40] * 25)
    loud = film_of(tmp_path / "loud.mkv", [40] * 25, sound=[(0.0, TONE)])
    for films, has_sound in (((loud, silent), True), ((silent, loud), False)):
        written(tmp_path / "film.mp4", films, (maps_of(25, 0), maps_of(25, 0)))
        with av.open(str(tmp_path / "film.mp4")) as film:
            assert bool(film.streams.audio) == has_sound
            if has_sound:
                samples = np.concatenate([frame.to_ndarray()[0] for frame in film.decode(audio=0)])
                assert np.abs(samples[2000:20000]).max() > 0.15 and len(samples) == pytest.approx(22050, abs=2100)


@pytest.mark.parametrize(
    ("shapes", "sizes"),
    [
        (((1920, 1080, 1), (1280, 720, 1)), [(1918, 1078), (1918, 1078)]),  # together 3840 pixels wide
        (((640, 360, 1), (90, 160, 1)), [(640, 360), (202, 360)]),
        (((720, 576, Fraction(16, 11)), (16, 16, 1)), [(1046, 576), (576, 576)]),
        (((2160, 4096, 1), (2160, 4096, 1)), [(1138, 2160), (1138, 2160)]),
        (((7, 5, 1), (1, 1, 1)), [(6, 4), (4, 4)]),
    ],
)
def test_panes_have_one_height_and_even_sides_and_fit_a_screen(shapes, sizes, tmp_path):
    films = [
        Film(
            path=tmp_path,
            width=width,
            height=height,
            nominal_rate_hz=Fraction(25),
            num_frames=1,
            pixel_aspect=Fraction(aspect),
        )
        for width, height, aspect in shapes
    ]
    assert pane_sizes(films) == sizes
