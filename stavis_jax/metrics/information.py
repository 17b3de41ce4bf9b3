"""KL divergence and information gain: maps read as distributions over pixels, as the MIT saliency benchmark has them.

Source: KLdiv.m and InfoGain.m of the benchmark's MATLAB code (github.com/cvzoya/saliency, code_forMetrics);
M. Kümmerer, T. Wallis, M. Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015;
Z. Bylinskii et al., "What do different evaluation metrics tell us about saliency models?", 2016.
"""

import numpy as np

from stavis_jax.metrics.blocks import blocks, sum_of_products

EPSILON = np.finfo(np.float64).eps  # MATLAB's eps, 2^-52: keeps logarithm and quotient finite


def kl_divergence(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """How much of the density of fixations the saliency map misses, in nats. Lower is better, 0 at best.

    Both maps [H, W] are divided by their sum, then: sum of d * log(eps + d / (s + eps)). The density's scale (0..255 or
    0..1) does not matter. What a bicubic resize left below zero counts as zero: the benchmark's code would take the
    logarithm of a negative number there.

    NaN if the density is zero everywhere, or a map holds a NaN. (For a density of zeros the benchmark's code returns 0,
    the best score there is.) A saliency map of zeros gets the benchmark's value for it, about 36 nats.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    if saliency_map.shape != density_map.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the density map {density_map.shape}.")
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
    """How much better than the baseline the map foretells the fixated pixels, in bits a fixation. Higher is better.

    Saliency and baseline map [H, W] are stretched to [0, 1] and divided by their sum, then: mean over fixated
    (non-zero) pixels of the fixation map [H, W] of log2(eps + s) - log2(eps + b). A pixel counts once. The baseline is
    a map made without this frame, as the centre bias of other films.

    NaN without fixations, and if either map is constant or holds a NaN.
    """
    saliency_map, baseline_map = np.asarray(saliency_map, np.float64), np.asarray(baseline_map, np.float64)
    fixated = np.asarray(fixation_map) != 0
    if not saliency_map.shape == fixated.shape == baseline_map.shape:
        raise ValueError(
            f"The saliency map has shape {saliency_map.shape}, the fixation map {fixated.shape}, "
            f"the baseline {baseline_map.shape}."
        )
    if not fixated.any():
        return float("nan")
    return float((_log2_density(saliency_map, fixated) - _log2_density(baseline_map, fixated)).mean())


def _log2_density(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    lowest, highest = values.min(), values.max()
    if np.isnan(lowest) or lowest == highest:
        return np.full(1, np.nan)
    # The stretch to [0, 1] falls out of the division by the sum.
    mass = sum((block - lowest).sum() for (block,) in blocks(values))
    return np.log2(EPSILON + (values[chosen] - lowest) / mass)
