import math

import numpy as np
import pytest

from stavis_jax.metrics import auc_judd, shuffled_auc


def judd_with_jitter(saliency_map, fixations, rng, runs):
    """The area as the benchmark draws it: random tie breaks, thresholds at the fixated values."""
    areas = []
    for _ in range(runs):
        jittered = saliency_map + 1e-7 * rng.random(saliency_map.shape)
        thresholds = np.sort(jittered[fixations > 0])[::-1]
        n = thresholds.size
        hits = np.arange(1, n + 1) / n
        false_alarms = [((jittered >= t).sum() - i) / (fixations.size - n) for i, t in enumerate(thresholds, 1)]
        areas.append(np.trapezoid([0, *hits, 1], [0, *false_alarms, 1]))
    return np.mean(areas), np.std(areas) / math.sqrt(runs)


def shuffled_with_samples(saliency_map, fixations, others, rng, runs):
    """The area as the benchmark samples it."""
    stretched = (saliency_map - saliency_map.min()) / np.ptp(saliency_map)
    positives = stretched[fixations > 0]
    pool = stretched[(others > 0) & (fixations != 1)]
    areas = []
    for _ in range(runs):
        negatives = rng.choice(pool, min(positives.size, pool.size), replace=False)
        thresholds = np.arange(11)[::-1] / 10
        hits = [(positives >= t).mean() for t in thresholds]
        false_alarms = [(negatives >= t).mean() for t in thresholds]
        areas.append(np.trapezoid([0, *hits, 1], [0, *false_alarms, 1]))
    return np.mean(areas), np.std(areas) / math.sqrt(runs)


@pytest.mark.parametrize("levels", [2, 4, 1000])
def test_auc_judd_is_the_mean_over_random_tie_breaks(rng, fixation_map, levels):
    saliency_map = rng.integers(0, levels, fixation_map.shape) / levels
    mean, error = judd_with_jitter(saliency_map, fixation_map, rng, runs=400)
    assert auc_judd(saliency_map, fixation_map) == pytest.approx(mean, abs=5 * error + 1e-12)


def judd_by_sorting(saliency_map, fixations):
    """The closed form, every pixel compared."""
    ranks = ((saliency_map - saliency_map.min()) / np.ptp(saliency_map)).round(9)
    positives, negatives = np.sort(ranks[fixations > 0]), ranks[fixations == 0]
    n, m = positives.size, negatives.size
    lost = sum(0.5 * np.searchsorted(positives, negatives, side=side).sum() for side in ("left", "right"))
    above, ties, tied = (
        (negatives > positives[0]).sum(),
        (negatives == positives[0]).sum(),
        np.sum(positives == positives[0]),
    )
    return 1 - lost / (n * m) + (above + ties * tied / (tied + 1)) / (2 * n * m)


@pytest.mark.parametrize("kind", ["smooth", "ties", "tiny range", "flat", "near ties", "many fixations"])
def test_buckets_do_not_change_auc_judd(rng, kind):
    for _ in range(20):
        saliency_map = rng.random(rng.integers(3, 200, 2))
        changed = {
            "smooth": saliency_map,
            "ties": saliency_map.round(1),
            "tiny range": 7 + 1e-5 * saliency_map**8,
            "flat": np.where(saliency_map > 0.9, saliency_map, 0),
            "near ties": saliency_map.round(5) + rng.choice([0, 1e-9, -4e-10], saliency_map.shape),
            "many fixations": saliency_map,
        }[kind]
        fixations = rng.random(changed.shape) < (0.6 if kind == "many fixations" else 0.01)
        fixations.flat[0], fixations.flat[1] = True, False
        assert auc_judd(changed, fixations) == pytest.approx(judd_by_sorting(changed, fixations), abs=1e-13)


def test_auc_judd_orders_good_and_bad_maps(fixation_map):
    good = fixation_map.astype(float)
    assert auc_judd(good, fixation_map) == 1
    assert auc_judd(1 - good, fixation_map) < 0.2


def test_auc_judd_of_a_constant_map_is_chance(fixation_map):
    # One half, and half of the last piece of a curve with three thresholds.
    assert auc_judd(np.full((12, 16), 0.5), fixation_map) == pytest.approx(0.5 + 1 / 8, abs=1e-14)


def test_auc_judd_needs_fixations_and_other_pixels(rng, fixation_map):
    assert math.isnan(auc_judd(rng.random((12, 16)), np.zeros((12, 16))))
    assert math.isnan(auc_judd(rng.random((12, 16)), np.ones((12, 16))))
    assert math.isnan(auc_judd(np.full((12, 16), np.nan), fixation_map))


def test_shuffled_auc_is_the_mean_over_random_samples(rng, fixation_map):
    saliency_map = rng.random(fixation_map.shape)
    others = (rng.random(fixation_map.shape) < 0.3).astype(np.uint8)
    mean, error = shuffled_with_samples(saliency_map, fixation_map, others, rng, runs=400)
    assert shuffled_auc(saliency_map, fixation_map, others) == pytest.approx(mean, abs=5 * error + 1e-12)


def test_current_fixations_are_removed_from_the_union(rng, fixation_map):
    saliency_map = rng.random(fixation_map.shape)
    others = np.roll(fixation_map, 2, axis=1)
    assert shuffled_auc(saliency_map, fixation_map, others | fixation_map) == shuffled_auc(
        saliency_map, fixation_map, others
    )


def test_shuffled_auc_does_not_reward_the_common_places(fixation_map):
    centre = np.zeros((12, 16))
    centre[5, 8] = 1
    everywhere = np.ones((12, 16))
    elsewhere = np.roll(fixation_map, 2, axis=1)
    assert shuffled_auc(fixation_map.astype(float), fixation_map, everywhere) == 1
    one_of_three = shuffled_auc(centre, fixation_map, elsewhere)
    assert one_of_three == pytest.approx(1 / 3 + 2 / 3 * 0.5, abs=1e-14)


def test_highest_threshold_is_reached_by_the_maximum():
    # 1.0 and 0.95 differ only in the threshold 1.0.
    saliency_map = np.array([[0.0, 0.95, 1.0]])
    assert shuffled_auc(saliency_map, np.array([[0, 0, 1]]), np.array([[0, 1, 0]])) == 1
    assert shuffled_auc(saliency_map, np.array([[0, 1, 0]]), np.array([[0, 0, 1]])) == 0


def test_shuffled_auc_needs_fixations_others_and_a_map_that_varies(rng, fixation_map):
    saliency_map, nothing, others = rng.random((12, 16)), np.zeros((12, 16)), np.ones((12, 16))
    assert math.isnan(shuffled_auc(saliency_map, nothing, others))
    assert math.isnan(shuffled_auc(saliency_map, fixation_map, nothing))
    assert math.isnan(shuffled_auc(saliency_map, fixation_map, fixation_map))
    assert math.isnan(shuffled_auc(np.full((12, 16), 0.5), fixation_map, others))
    assert math.isnan(shuffled_auc(np.full((12, 16), np.nan), fixation_map, others))


def test_aucs_refuse_maps_of_different_size(rng, fixation_map):
    with pytest.raises(ValueError, match="shape"):
        auc_judd(rng.random((6, 8)), fixation_map)
    with pytest.raises(ValueError, match="shape"):
        shuffled_auc(rng.random((12, 16)), fixation_map, np.ones((6, 16)).repeat(4, axis=0))
