"""CC: linear correlation of a saliency map with the density of fixations."""

import numpy as np


def cc(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Pearson correlation of two maps [H, W], in [-1, 1]. The density's scale (0..255 or 0..1) does not matter.

    NaN if either map is constant or holds a NaN.
    """
    saliency_map, density_map = np.asarray(saliency_map, np.float64), np.asarray(density_map, np.float64)
    if saliency_map.shape != density_map.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the density map {density_map.shape}.")
    # Asked of the pixels, since the variance of a constant may round to something above zero.
    if np.ptp(saliency_map) == 0 or np.ptp(density_map) == 0:
        return float("nan")
    # Sums, not dot products: BLAS would start threads in every scoring process.
    saliency_map = saliency_map - saliency_map.mean()
    density_map = density_map - density_map.mean()
    norms = np.sqrt((saliency_map**2).sum()) * np.sqrt((density_map**2).sum())
    return float((saliency_map * density_map).sum() / norms)
