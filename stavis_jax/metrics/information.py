"""KL divergence and information gain: maps read as probability distributions over pixels.

Sources: M. Kümmerer et al., "Information-theoretic model comparison unifies saliency metrics", PNAS 2015;
Z. Bylinskii et al., "What do different evaluation metrics tell us about saliency models?", 2016.
"""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape, sum_of_products
from stavis_jax.metrics.measured_map import AnyMap, MeasuredMap, map_and_fixated, measured

EPSILON = np.finfo(np.float64).eps  # MATLAB's eps, 2^-52: keeps logarithm and quotient finite


def kl_divergence(saliency_map: AnyMap, density_map: AnyMap) -> float:
    """Returns how much of the density of fixations the saliency map misses, in nats. Both maps are [H, W].

    Formula: sum of d * log(eps + d / (s + eps)), with each map first divided by its sum.
    Range: 0 and up, lower is better. A saliency map of zeros gets about 36 nats, as in the benchmark. The scale of the
    density (0 to 255 or 0 to 1) does not matter. Pixels that a bicubic resize left below zero count as zero.
    NaN if the density is zero everywhere, as in a frame without fixations, or if a map holds a NaN. (The benchmark
    returns 0, the best score, for a density of zeros.)
    Follows KLdiv.m of the MIT saliency benchmark.
    """
    saliency, density = measured(saliency_map), measured(density_map)
    check_same_shape(saliency.values, density.values)
    mass = density.total
    saliency_mass = sum(np.maximum(block, 0).sum(dtype=np.float64) for (block,) in blocks(saliency.values))
    if mass == 0 or np.isnan(mass) or np.isnan(saliency_mass):
        return float("nan")
    divergence = 0.0
    for of_saliency, of_density in blocks(saliency.values, density.values):
        looked_at = np.flatnonzero(of_density != 0)  # elsewhere the term is 0
        share = of_density[looked_at] / mass
        expected = np.maximum(of_saliency[looked_at], 0, dtype=np.float64)
        expected /= saliency_mass or 1.0
        expected += EPSILON
        ratio = np.divide(share, expected, out=expected)
        ratio += EPSILON
        divergence += sum_of_products(share, np.log(ratio, out=ratio))
    return float(divergence)


def information_gain(saliency_map: AnyMap, fixation_map: np.ndarray, baseline_map: AnyMap) -> float:
    """Returns how much better than a baseline the map predicts the fixated pixels, in bits per fixation.

    Formula: mean over fixated pixels of log2(eps + s) - log2(eps + b), with the saliency map and the baseline map
    [H, W] first stretched to [0, 1] and then divided by their sums.
    Range: unbounded, 0 for the baseline itself, higher is better. A pixel counts once, however often it was fixated.
    The baseline is a map made without this frame, such as the centre bias of other films.
    NaN without fixations, and if either map is constant or holds a NaN.
    Follows InfoGain.m of the MIT saliency benchmark.
    """
    saliency, fixated = map_and_fixated(saliency_map, fixation_map)
    baseline = measured(baseline_map)
    check_same_shape(saliency.values, baseline.values)
    if not fixated.size:
        return float("nan")
    return float((_log2_density(saliency, fixated) - _log2_density(baseline, fixated)).mean())


def _log2_density(values: MeasuredMap, chosen: np.ndarray) -> np.ndarray:
    """Returns the log density of the chosen pixels, or [NaN] for a map that is constant or holds a NaN."""
    if values.has_nan or values.is_constant:
        return np.full(1, np.nan)
    # The range of the stretch to [0, 1] cancels in the division by the sum.
    return np.log2(EPSILON + (values.values.ravel()[chosen] - values.lowest) / values.mass)
