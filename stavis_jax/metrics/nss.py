"""NSS: normalised scanpath saliency."""

import numpy as np

from stavis_jax.metrics.arrays import blocks, is_constant, map_and_fixated, sum_of_products


def nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Returns the mean of the standardised saliency map [H, W] over the non-zero pixels of the fixation map [H, W].

    Formula: mean over fixated pixels of (s - mean(s)) / std(s), with the n - 1 standard deviation.
    Range: unbounded, 0 at chance, higher is better. A pixel counts once, however often it was fixated.
    NaN without fixations, and if the saliency map is constant or holds a NaN.
    Compared with NSS.m of the MIT saliency benchmark.
    """
    saliency_map, fixated = map_and_fixated(saliency_map, fixation_map)
    if not fixated.any():
        return float("nan")
    mean = saliency_map.mean()
    squares = 0.0
    for (block,) in blocks(saliency_map):
        block = block - mean
        squares += sum_of_products(block, block)
    if is_constant(saliency_map, mean, squares):
        return float("nan")
    deviation = np.sqrt(squares / (saliency_map.size - 1))
    return float((saliency_map.ravel()[np.flatnonzero(fixated)].mean() - mean) / deviation)
