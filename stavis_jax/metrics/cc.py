"""CC: linear correlation of a saliency map with the density of fixations."""

import numpy as np

from stavis_jax.metrics.blocks import blocks, sum_of_products


def cc(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Pearson correlation of two maps [H, W], in [-1, 1]. The density's scale (0..255 or 0..1) does not matter.

    NaN if either map is constant or holds a NaN.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    if saliency_map.shape != density_map.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the density map {density_map.shape}.")
    # Asked of the pixels, since the variance of a constant may round to something above zero.
    if saliency_map.min() == saliency_map.max() or density_map.min() == density_map.max():
        return float("nan")
    means = saliency_map.mean(dtype=np.float64), density_map.mean(dtype=np.float64)
    covariance = saliency_variance = density_variance = 0.0
    for values in blocks(saliency_map, density_map):
        saliency, density = (value - mean for value, mean in zip(values, means, strict=True))
        covariance += sum_of_products(saliency, density)
        saliency_variance += sum_of_products(saliency, saliency)
        density_variance += sum_of_products(density, density)
    return float(covariance / (np.sqrt(saliency_variance) * np.sqrt(density_variance)))
