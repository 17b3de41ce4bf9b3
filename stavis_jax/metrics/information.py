"""KL divergence and information gain: maps read as probability distributions over pixels.

Sources: M. Kümmerer et al., "Information-theoretic model comparison unifies saliency metrics", PNAS 2015;
Z. Bylinskii et al., "What do different evaluation metrics tell us about saliency models?", 2016.
"""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape, map_and_fixated, sum_of_products

EPSILON = np.finfo(np.float64).eps  # MATLAB's eps, 2^-52: keeps logarithm and quotient finite


def kl_divergence(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Returns how much of the density of fixations the saliency map misses, in nats. Both maps are [H, W].

    Formula: sum of d * log(eps + d / (s + eps)), with each map first divided by its sum.
    Range: 0 and up, lower is better. A saliency map of zeros gets about 36 nats, as in the benchmark. The scale of the
    density (0 to 255 or 0 to 1) does not matter. Pixels that a bicubic resize left below zero count as zero.
    NaN if the density is zero everywhere, as in a frame without fixations, or if a map holds a NaN. (The benchmark
    returns 0, the best score, for a density of zeros.)
    Follows KLdiv.m of the MIT saliency benchmark.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    check_same_shape(saliency_map, density_map)
    mass = density_map.sum(dtype=np.float64)
    saliency_mass = sum(np.maximum(block, 0).sum(dtype=np.float64) for (block,) in blocks(saliency_map))
    if mass == 0 or np.isnan(mass) or np.isnan(saliency_mass):
        return float("nan")
    divergence = 0.0
    for saliency, density in blocks(saliency_map, density_map):
        looked_at = np.flatnonzero(density)  # elsewhere the term is 0
        share = density[looked_at] / mass
        expected = np.maximum(saliency[looked_at], 0, dtype=np.float64)
        expected /= saliency_mass or 1.0
        expected += EPSILON
        ratio = np.divide(share, expected, out=expected)
        ratio += EPSILON
        divergence += sum_of_products(share, np.log(ratio, out=ratio))
    return float(divergence)


def information_gain(saliency_map: np.ndarray, fixation_map: np.ndarray, baseline_map: np.ndarray) -> float:
    """Returns how much better than a baseline the map predicts the fixated pixels, in bits per fixation.

    Formula: mean over fixated pixels of log2(eps + s) - log2(eps + b), with the saliency map and the baseline map
    [H, W] first stretched to [0, 1] and then divided by their sums.
    Range: unbounded, 0 for the baseline itself, higher is better. A pixel counts once, however often it was fixated.
    The baseline is a map made without this frame, such as the centre bias of other films.
    NaN without fixations, and if either map is constant or holds a NaN.
    Follows InfoGain.m of the MIT saliency benchmark.
    """
    saliency_map, fixated = map_and_fixated(saliency_map, fixation_map)
    baseline_map = np.asarray(baseline_map, np.float64)
    check_same_shape(saliency_map, baseline_map)
    if not fixated.any():
        return float("nan")
    return float((_log2_density(saliency_map, fixated) - _log2_density(baseline_map, fixated)).mean())


def _log2_density(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns the log density of the chosen pixels, or [NaN] for a map that is constant or holds a NaN."""
    lowest, highest = values.min(), values.max()
    if np.isnan(lowest) or lowest == highest:
        return np.full(1, np.nan)
    # The range of the stretch to [0, 1] cancels in the division by the sum.
    mass = sum((block - lowest).sum() for (block,) in blocks(values))
    return np.log2(EPSILON + (values[chosen] - lowest) / mass)
