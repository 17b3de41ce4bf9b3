import math

import numpy as np
import pytest

from stavis_jax.metrics import (
    auc_judd,
    auc_judd_sampled,
    shuffled_auc,
    shuffled_auc_others,
    shuffled_auc_others_sampled,
    shuffled_auc_sampled,
)

DRAWS = 300


@pytest.fixture
def counts(rng):
    return rng.poisson(0.4, (12, 16))


def scatter(function):
    """Mean of many draws, and five standard errors of it."""
    values = [function(seed) for seed in range(DRAWS)]
    return np.mean(values), 5 * np.std(values) / math.sqrt(DRAWS) + 1e-12


@pytest.mark.parametrize("levels", [3, 1000])
def test_mean_of_jittered_areas_is_the_exact_value(rng, fixation_map, levels):
    saliency_map = rng.integers(0, levels, fixation_map.shape) / levels
    mean, tolerance = scatter(lambda seed: auc_judd_sampled(saliency_map, fixation_map, seed=seed))
    assert auc_judd(saliency_map, fixation_map) == pytest.approx(mean, abs=tolerance)


def test_mean_of_sampled_shuffled_areas_is_the_exact_value(rng, fixation_map, counts):
    saliency_map = rng.random((12, 16))
    mean, tolerance = scatter(
        lambda seed: shuffled_auc_sampled(saliency_map, fixation_map, counts > 0, splits=2, seed=seed)
    )
    assert shuffled_auc(saliency_map, fixation_map, counts > 0) == pytest.approx(mean, abs=tolerance)


def test_mean_of_sampled_areas_against_other_films_is_the_exact_value(rng, fixation_map, counts):
    saliency_map = rng.random((12, 16))
    counts[saliency_map > 0.9] = 30  # without their weight the area would be larger by 0.2
    mean, tolerance = scatter(
        lambda seed: shuffled_auc_others_sampled(saliency_map, fixation_map, counts, splits=2, seed=seed)
    )
    assert shuffled_auc_others(saliency_map, fixation_map, counts) == pytest.approx(mean, abs=tolerance)


def test_same_seed_draws_the_same_and_another_seed_differs(rng, fixation_map, counts):
    saliency_map = rng.random((12, 16))
    one, again, other = (
        shuffled_auc_sampled(saliency_map, fixation_map, counts, splits=3, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again != other


def test_sampled_areas_are_nan_where_the_exact_ones_are(rng, fixation_map):
    saliency_map, nothing = rng.random((12, 16)), np.zeros((12, 16), int)
    assert math.isnan(auc_judd_sampled(saliency_map, nothing, seed=0))
    assert math.isnan(shuffled_auc_sampled(saliency_map, fixation_map, nothing, seed=0))
    assert math.isnan(shuffled_auc_sampled(np.ones((12, 16)), fixation_map, nothing + 1, seed=0))
    assert math.isnan(shuffled_auc_others_sampled(saliency_map, nothing, nothing + 1, seed=0))


def test_pixel_fixated_more_often_weighs_more_among_other_films_only(fixation_map):
    saliency_map = np.zeros((12, 16))
    saliency_map[fixation_map == 1] = 0.5
    saliency_map[0, 0] = 1
    counts = np.zeros((12, 16), int)
    counts[0, 0], counts[0, 1] = 3, 1
    assert shuffled_auc_others(saliency_map, fixation_map, counts) == pytest.approx(1 / 4)
    assert shuffled_auc(saliency_map, fixation_map, counts) == pytest.approx(1 / 2)


def test_other_films_fixations_stay_where_the_frame_itself_is_fixated(rng, fixation_map):
    saliency_map = rng.random((12, 16))
    assert shuffled_auc_others(saliency_map, fixation_map, fixation_map) == pytest.approx(0.5)
    assert math.isnan(shuffled_auc(saliency_map, fixation_map, fixation_map))


def test_negatives_are_drawn_without_replacement(rng, fixation_map):
    saliency_map, others = rng.random((12, 16)), np.roll(fixation_map, 2, axis=1)
    areas = {
        round(shuffled_auc_sampled(saliency_map, fixation_map, others, splits=1, seed=seed), 12) for seed in range(20)
    }
    assert len(areas) == 1  # as many others as fixations: every sample is all of them
