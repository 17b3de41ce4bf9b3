"""The camera keeps its subject, its limits, and jumps at cuts only."""

import numpy as np
import pytest
from made_targets import target_maps

from stavis_jax.reframing.camera_path import camera_path
from stavis_jax.reframing.saliency_profile import SaliencyProfiles, share_in_window
from stavis_jax.reframing.smooth_path import CameraLimits

LENGTH = 0.316  # of a 9:16 crop of a 16:9 film
LIMITS = CameraLimits()


def profiles(centers) -> np.ndarray:
    """Returns profiles [N, S] of targets at shares of the width: one a frame, or several."""
    found = SaliencyProfiles()
    for places in centers:
        found.add(sum(target_maps([(place, 0.5)])[0] for place in np.atleast_1d(places)))
    return found.along("x")


def path(centers, starts=(0,), seconds=None, limits=LIMITS, length=LENGTH) -> np.ndarray:
    seconds = np.arange(len(centers)) / 25 if seconds is None else seconds
    return camera_path(profiles(centers), seconds, list(starts), length, limits)


def inside(places, centers, length=LENGTH) -> float:
    return float(((np.array(centers) >= places) & (np.array(centers) <= places + length)).mean())


def derivatives(places, seconds) -> list[float]:
    """Returns the largest speed, acceleration and jerk: divided differences, which need no even times."""
    found, values, times = [], places, [seconds, seconds, seconds, seconds]
    for order in (1, 2, 3):
        values = np.diff(values) * order / (times[0][order:] - times[0][:-order])
        found.append(float(np.abs(values).max()))
    return found


WALKS = {
    "across": np.linspace(0.1, 0.9, 100),
    "to and fro": 0.5 + 0.35 * np.sin(np.arange(400) / 25),
    "sudden": np.repeat([0.2, 0.75, 0.4], 70),
    "faster than the camera": 0.5 + 0.4 * np.sin(np.arange(300) / 8),
}


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize("limits", [LIMITS, CameraLimits(0.1, 0.2, 1.0), CameraLimits(2.0, 10.0, 100.0)])
@pytest.mark.parametrize("uneven", [False, True])
def test_speed_acceleration_and_jerk_stay_within_the_limits(name, limits, uneven):
    centers = WALKS[name]
    steps = np.random.default_rng(1).uniform(0.01, 0.1, len(centers)) if uneven else np.full(len(centers), 0.04)
    seconds = np.cumsum(steps) - steps[0]
    places = path(centers, seconds=seconds, limits=limits)
    assert places.min() >= 0 and places.max() <= 1 - LENGTH
    for found, most in zip(derivatives(places, seconds), (limits.speed, limits.acceleration, limits.jerk), strict=True):
        assert found <= most
    assert np.ptp(places) > 0.05 or limits.speed < 0.4  # it follows, unless it is too slow to


@pytest.mark.parametrize("name", ["across", "to and fro"])
def test_a_walking_subject_stays_inside(name):
    assert inside(path(WALKS[name]), WALKS[name]) == 1


def test_the_camera_stands_still_before_a_subject_that_hardly_moves():
    centers = 0.4 + np.random.default_rng(0).normal(0, 0.02, 200)
    places = path(centers)
    assert np.ptp(places) == 0
    assert inside(places, centers) == 1


def test_the_camera_jumps_at_a_cut_and_stands_still_before_and_after():
    places = path([0.1] * 40 + [0.9] * 40, starts=(0, 40))
    assert np.ptp(places[:40]) == np.ptp(places[40:]) == 0
    assert places[40] - places[39] > 0.6


def test_of_two_subjects_the_more_salient_one_is_shown_and_never_the_gap_between_them():
    places = path([(0.1, 0.9, 0.9)] * 60)
    assert inside(places, [0.9] * 60) == 1
    places = path([(0.1, 0.9)] * 60)
    assert max(inside(places, [0.1] * 60), inside(places, [0.9] * 60)) == 1


def test_two_subjects_that_fit_are_both_shown():
    centers = [(0.6, 0.7)] * 60
    assert share_in_window(profiles(centers), path(centers)[:, None], LENGTH).min() > 0.95


def test_a_constant_map_gives_the_centre():
    found = SaliencyProfiles()
    for _ in range(30):
        found.add(np.ones((8, 8)))
    places = camera_path(found.along("x"), np.arange(30) / 25, [0], LENGTH, LIMITS)
    assert places == pytest.approx(np.full(30, (1 - LENGTH) / 2), abs=0.01)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 5])
def test_the_shortest_shots_have_a_path(num_frames):
    centers = [0.2, 0.8, 0.5, 0.3, 0.6][:num_frames]
    assert len(path(centers)) == num_frames
    assert len(path(centers * 3, starts=range(0, 3 * num_frames, num_frames))) == 3 * num_frames


@pytest.mark.parametrize("length", [1.0, 0.9999, 0.001])
def test_windows_of_any_length_have_a_path(length):
    places = path([0.3] * 20, length=length)
    assert (places >= 0).all() and (places + length <= 1 + 1e-9).all()


@pytest.mark.slow
def test_a_long_shot_is_solved_in_pieces_that_join_within_the_limits():
    centers = 0.5 + 0.3 * np.sin(np.arange(6000) / 40)  # 4 minutes: 1,200 steps
    places = path(centers)
    assert inside(places, centers) == 1
    for found, most in zip(derivatives(places, np.arange(6000) / 25), (0.4, 0.8, 4.0), strict=True):
        assert found <= most


def test_a_gap_of_minutes_between_two_frames_has_a_path():
    seconds = np.concatenate([np.arange(10) / 25, 200 + np.arange(10) / 25])
    places = path([0.2] * 10 + [0.8] * 10, seconds=seconds)
    assert inside(places, [0.2] * 10 + [0.8] * 10) == 1
