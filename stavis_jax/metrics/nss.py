"""NSS: normalised scanpath saliency."""

import numpy as np

from stavis_jax.metrics.blocks import blocks, is_constant, sum_of_products


def nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Mean of the standardised saliency map [H, W] over the fixated (non-zero) pixels of the fixation map [H, W].

    A pixel counts once, however often it was fixated. NaN without fixations, and if the map is constant or holds a NaN.
    """
    saliency_map, fixated = np.asarray(saliency_map, np.float64), np.asarray(fixation_map) != 0
    if saliency_map.shape != fixated.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the fixation map {fixated.shape}.")
    if not fixated.any():
        return float("nan")
    mean = saliency_map.mean()
    squares = 0.0
    for (block,) in blocks(saliency_map):
        block = block - mean
        squares += sum_of_products(block, block)
    if is_constant(saliency_map, mean, squares):
        return float("nan")
    deviation = np.sqrt(squares / (saliency_map.size - 1))  # the benchmark's MATLAB code divides by n - 1
    return float((saliency_map.ravel()[np.flatnonzero(fixated)].mean() - mean) / deviation)
