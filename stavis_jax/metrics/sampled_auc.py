"""The AUCs with random draws, as the original computes them: jitter in AUC-Judd, samples in the shuffled AUCs.

Use these functions to compare with numbers of the original's scripts. The functions of `auc` return the mean over all
draws.
"""

import numpy as np

from stavis_jax.metrics.auc import SHUFFLED_THRESHOLDS
from stavis_jax.metrics.measured_map import AnyMap, map_and_fixated

JITTER = 1e-7
DRAWS = 100  # samples of the original

Seed = int | np.random.Generator


def auc_judd_sampled(saliency_map: AnyMap, fixation_map: np.ndarray, *, seed: Seed) -> float:
    """Returns `auc_judd` with one draw of jitter, uniform in [0, 1e-7), added to the map [H, W].

    NaN where `auc_judd` is NaN.
    """
    saliency, fixated = map_and_fixated(saliency_map, fixation_map)
    num_fixated, num_others = fixated.size, saliency.values.size - fixated.size
    if not num_fixated or not num_others or saliency.has_nan:
        return float("nan")
    jittered = saliency.values + JITTER * np.random.default_rng(seed).random(saliency.values.shape)
    thresholds = np.sort(jittered.ravel()[fixated])[::-1]
    rank = np.arange(1, num_fixated + 1)
    at_or_above = jittered.size - np.searchsorted(np.sort(jittered, axis=None), thresholds, side="left")
    return _area(rank / num_fixated, (at_or_above - rank) / num_others)


def shuffled_auc_sampled(
    saliency_map: AnyMap, fixation_map: np.ndarray, other_fixations: np.ndarray, *, splits: int = DRAWS, seed: Seed
) -> float:
    """Returns `shuffled_auc` as the mean over `splits` samples of as many negatives as there are fixations.

    Negatives are drawn without replacement from the pixels where `other_fixations` [H, W] is not zero and
    `fixation_map` [H, W] is not 1. NaN where `shuffled_auc` is NaN.
    """
    others = (np.asarray(other_fixations) != 0) & (np.asarray(fixation_map) != 1)
    return _mean_area(saliency_map, fixation_map, np.flatnonzero(others), splits, seed)


def shuffled_auc_others_sampled(
    saliency_map: AnyMap, fixation_map: np.ndarray, fixation_counts: np.ndarray, *, splits: int = DRAWS, seed: Seed
) -> float:
    """Returns `shuffled_auc_others` from the same kind of samples. Fixations are drawn, so a pixel may recur."""
    counts = np.asarray(fixation_counts).ravel()
    pixels = np.flatnonzero(counts)
    return _mean_area(saliency_map, fixation_map, np.repeat(pixels, counts[pixels]), splits, seed)


def _mean_area(saliency_map: AnyMap, fixation_map: np.ndarray, pool: np.ndarray, splits: int, seed: Seed) -> float:
    """Returns the mean area over samples from `pool`, the flat positions of the negatives."""
    saliency, fixated = map_and_fixated(saliency_map, fixation_map)
    if splits < 1:
        raise ValueError(f"splits: {splits}, expected 1 or more.")
    if not fixated.size or not pool.size or saliency.has_nan or saliency.is_constant:
        return float("nan")
    stretched = ((saliency.values - saliency.lowest) / (saliency.highest - saliency.lowest)).ravel()
    positives = stretched[fixated]
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(splits):
        drawn = rng.choice(pool.size, min(positives.size, pool.size), replace=False, shuffle=False)
        negatives = stretched[pool[drawn]]
        highest_value = max(positives.max(), negatives.max())
        thresholds = SHUFFLED_THRESHOLDS[::-1]
        thresholds = thresholds[thresholds <= highest_value, None]
        areas.append(_area((positives >= thresholds).mean(axis=1), (negatives >= thresholds).mean(axis=1)))
    return float(np.mean(areas))


def _area(hits: np.ndarray, false_alarms: np.ndarray) -> float:
    """Returns the area under the curve through (0, 0), the rising points [N], and (1, 1)."""
    return float(np.trapezoid(np.concatenate([[0], hits, [1]]), np.concatenate([[0], false_alarms, [1]])))
