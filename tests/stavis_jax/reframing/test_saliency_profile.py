import numpy as np
import pytest

from stavis_jax.reframing.saliency_profile import SaliencyProfiles, share_in_window


def test_share_of_a_window_is_that_of_the_map():
    saliency_map = np.random.default_rng(0).random((8, 10))
    profiles = SaliencyProfiles()
    profiles.add(saliency_map)
    mass = (saliency_map - saliency_map.min()) / (saliency_map - saliency_map.min()).sum()
    assert share_in_window(profiles.along("x"), np.array([0.2]), 0.3)[0, 0] == pytest.approx(mass[:, 2:5].sum())
    assert share_in_window(profiles.along("y"), np.array([0.25]), 0.5)[0, 0] == pytest.approx(mass[2:6].sum())
    assert share_in_window(profiles.along("x"), np.array([0.25]), 0.1)[0, 0] == pytest.approx(
        mass[:, 2].sum() / 2 + mass[:, 3].sum() / 2
    )


def test_a_constant_map_is_spread_evenly():
    profiles = SaliencyProfiles()
    profiles.add(np.full((4, 4), 0.7))
    assert share_in_window(profiles.along("x"), np.array([0.0, 0.3]), 0.5)[0].tolist() == pytest.approx([0.5, 0.5])


def test_each_frame_may_have_its_own_window():
    profiles = np.eye(4)
    assert share_in_window(profiles, np.array([[0.0], [0.0], [0.5], [0.75]]), 0.25)[:, 0].tolist() == [1, 0, 1, 1]
