import math

import numpy as np
import pytest

from stavis_jax.metrics import information_gain, kl_divergence

EPSILON = 2.0**-52


def test_kl_is_the_benchmarks_sum(rng):
    saliency_map, density = rng.random((150, 160)), rng.integers(0, 256, (150, 160)).astype(np.uint8)
    s, d = saliency_map / saliency_map.sum(), density / density.sum()
    expected = (d * np.log(EPSILON + d / (s + EPSILON))).sum()
    assert kl_divergence(saliency_map, density) == pytest.approx(expected, abs=1e-12)


def test_kl_of_a_map_with_itself_is_zero_and_grows_with_distance(rng):
    density = rng.random((12, 16))
    near, far = density + 0.1 * rng.random((12, 16)), rng.random((12, 16))
    assert kl_divergence(3 * density, density) == pytest.approx(0, abs=1e-12)
    assert 0 < kl_divergence(near, density) < kl_divergence(far, density)


def test_kl_counts_bicubic_undershoot_as_zero():
    density = np.array([[0.0, 1.0, 3.0]])
    assert kl_divergence(np.array([[-0.5, 1.0, 3.0]]), density) == kl_divergence(np.array([[0.0, 1.0, 3.0]]), density)


def test_kl_of_a_frame_without_gaze_is_nan_not_the_best_score(rng):
    assert math.isnan(kl_divergence(rng.random((12, 16)), np.zeros((12, 16), np.uint8)))
    assert math.isnan(kl_divergence(np.full((12, 16), np.nan), rng.random((12, 16))))


def test_kl_of_an_empty_saliency_map_is_finite_and_bad(rng):
    assert 25 < kl_divergence(np.zeros((12, 16)), rng.random((12, 16))) < 40


def test_information_gain_is_the_mean_of_log_ratios_at_fixations(rng, fixation_map):
    saliency_map, baseline = rng.random((12, 16)), rng.random((12, 16))

    def density(values):
        stretched = (values - values.min()) / np.ptp(values)
        return stretched / stretched.sum()

    chosen = fixation_map == 1
    expected = np.mean(np.log2(EPSILON + density(saliency_map)[chosen]) - np.log2(EPSILON + density(baseline)[chosen]))
    assert information_gain(saliency_map, fixation_map, baseline) == pytest.approx(expected, abs=1e-12)


def test_information_gain_over_itself_is_zero_and_changes_sign_with_the_roles(rng, fixation_map):
    saliency_map, baseline = rng.random((12, 16)), rng.random((12, 16))
    assert information_gain(baseline, fixation_map, baseline) == 0
    gain = information_gain(saliency_map, fixation_map, baseline)
    assert information_gain(baseline, fixation_map, saliency_map) == pytest.approx(-gain, abs=1e-12)


def test_information_gain_needs_fixations_and_maps_that_vary(rng, fixation_map):
    other, constant = rng.random((12, 16)), np.full((12, 16), 0.5)
    assert math.isnan(information_gain(other, np.zeros((12, 16)), other))
    assert math.isnan(information_gain(constant, fixation_map, other))
    assert math.isnan(information_gain(other, fixation_map, constant))
    assert math.isnan(information_gain(np.full((12, 16), np.nan), fixation_map, other))


def test_both_refuse_maps_of_different_size(rng, fixation_map):
    with pytest.raises(ValueError, match="shape"):
        kl_divergence(rng.random((12, 16)), rng.random((12, 1)))
    with pytest.raises(ValueError, match="shape"):
        information_gain(rng.random((12, 16)), fixation_map, rng.random((12, 1)))
