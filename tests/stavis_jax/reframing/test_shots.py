"""Cuts are found where they are, and nothing else is taken for one."""

import numpy as np
import pytest
from made_films import real_film

from data_pipelines.films.film import open_film
from stavis_jax.reframing.shots import CutDetector

SIZE = 56


def scene(seed: int) -> np.ndarray:
    """Returns a smooth picture float [SIZE, 3 SIZE, 3] in [0, 255], wide enough to pan over."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(20, 230, (5, 13, 3))
    rows, columns = np.linspace(0, 3.99, SIZE), np.linspace(0, 11.99, 3 * SIZE)
    upper, left = rows.astype(int), columns.astype(int)
    down, right = (rows - upper)[:, None, None], (columns - left)[None, :, None]
    top = coarse[upper][:, left] * (1 - right) + coarse[upper][:, left + 1] * right
    bottom = coarse[upper + 1][:, left] * (1 - right) + coarse[upper + 1][:, left + 1] * right
    return top * (1 - down) + bottom * down


def found(pictures, rate_hz=25.0) -> list[int]:
    detector = CutDetector()
    for index, picture in enumerate(pictures):
        detector.add(np.clip(picture, 0, 255).astype(np.uint8), index / rate_hz)
    return detector.shot_starts()


def still(seed: int, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed + 100)
    return [scene(seed)[:, :SIZE] + random.normal(0, 4, (SIZE, SIZE, 3)) for _ in range(count)]


def test_cuts_are_found_at_their_frames():
    pictures = [*still(1, 20), *still(2, 12), *still(3, 30), *still(4, 9)]
    assert found(pictures) == [0, 20, 32, 62]


def test_a_cut_between_scenes_of_the_same_colours_is_found():
    one = still(1, 20)
    assert found([*one, *(picture[::-1, ::-1] for picture in one)]) == [0, 20]


@pytest.mark.parametrize("rate_hz", [10.0, 25.0, 60.0])
@pytest.mark.parametrize("num_flashed", [1, 2, 3])
def test_a_flash_is_no_cut(num_flashed, rate_hz):
    if num_flashed / rate_hz > 0.25:
        num_flashed = 2
    pictures = still(1, 40)
    for index in range(20, 20 + num_flashed):
        pictures[index] = pictures[index] * 0.1 + 230
    assert found(pictures, rate_hz) == [0]


def test_a_flash_at_a_cut_does_not_hide_it():
    pictures = [*still(1, 20), *still(2, 20)]
    pictures[20] = pictures[20] * 0 + 255
    assert found(pictures) in ([0, 20], [0, 21])


def test_pans_fades_and_noise_are_no_cuts():
    wide = scene(1)
    pan = [wide[:, 2 * shift : 2 * shift + SIZE] for shift in range(50)]
    assert found(pan) == [0]
    fade = [scene(2)[:, :SIZE] * level for level in np.linspace(1, 0.05, 40)]
    assert found(fade) == [0]
    assert found(np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3))) == [0]


def test_a_film_of_one_frame_or_of_one_colour_is_one_shot():
    assert found([]) == []
    assert found(still(1, 1)) == [0]
    assert found([np.zeros((SIZE, SIZE, 3))] * 20) == [0]


def test_a_cut_from_one_plain_colour_to_another_is_found():
    assert found([np.full((SIZE, SIZE, 3), 20.0)] * 15 + [np.full((SIZE, SIZE, 3), 200.0)] * 15) == [0, 15]


def test_cuts_are_found_in_a_film_with_gaps_between_its_frames():
    detector = CutDetector()
    for index, picture in enumerate([*still(1, 6), *still(2, 6)]):
        detector.add(np.clip(picture, 0, 255).astype(np.uint8), index * 2.0)
    assert detector.shot_starts() == [0, 6]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "starts"), [("bikes.mp4", [0, 30, 76, 137, 187, 242]), ("carphone_pristine.mp4", [0])]
)
def test_cuts_of_real_films_are_those_that_people_see(name, starts):
    detector = CutDetector()
    for frame in open_film(real_film(name)).frames(112):
        detector.add(frame.picture, frame.seconds)
    assert detector.shot_starts() == starts
