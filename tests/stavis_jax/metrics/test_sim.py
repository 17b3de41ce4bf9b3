import math

import numpy as np
import pytest

from stavis_jax.metrics import sim


def test_sim_of_a_map_with_itself_is_one(rng):
    density = rng.random((12, 16))
    assert sim(density, density) == pytest.approx(1, abs=1e-14)
    assert sim(5 + 2 * density, 255 * density) == pytest.approx(1, abs=1e-14)


def test_sim_of_maps_without_common_mass_is_zero():
    left, right = np.zeros((4, 6)), np.zeros((4, 6))
    left[:, :3] = 1
    right[:, 3:] = 1
    assert sim(left, right) == 0


def test_sim_counts_half_for_half_the_mass():
    both, left = np.zeros((4, 6)), np.zeros((4, 6))
    both[:, :4] = 1
    left[:, :2] = 1
    assert sim(both, left) == pytest.approx(0.5, abs=1e-14)


def test_frame_without_gaze_scores_zero(rng):
    assert sim(rng.random((12, 16)), np.zeros((12, 16), np.uint8)) == 0


def test_constant_map_other_than_zero_has_no_sim(rng):
    constant, other = np.full((12, 16), 0.3), rng.random((12, 16))
    assert math.isnan(sim(other, constant))
    assert math.isnan(sim(constant, other))


def test_sim_of_a_map_of_nan_is_nan(rng):
    nans = np.full((12, 16), np.nan)
    assert math.isnan(sim(nans, rng.random((12, 16))))
    assert math.isnan(sim(nans, np.zeros((12, 16))))


def test_sim_refuses_maps_of_different_size(rng):
    with pytest.raises(ValueError, match="shape"):
        sim(rng.random((12, 16)), rng.random((12, 1)))
