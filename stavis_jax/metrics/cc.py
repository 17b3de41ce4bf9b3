"""CC: linear correlation of a saliency map with the density of fixations."""

import numpy as np

from stavis_jax.metrics.blocks import blocks, is_constant, sum_of_products


def cc(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Pearson correlation of two maps [H, W], in [-1, 1]. The density's scale (0..255 or 0..1) does not matter.

    NaN if either map is constant or holds a NaN.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    if saliency_map.shape != density_map.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the density map {density_map.shape}.")
    mean = saliency_map.mean(dtype=np.float64)
    # Any centre near the mean does. Of 8-bit pixels a whole number: the sums are exact, the mean need not be known.
    whole = density_map.dtype == np.uint8
    centre = float(density_map.flat[0]) if whole else density_map.mean(dtype=np.float64)
    covariance = saliency_variance = density_variance = density_sum = 0.0
    for saliency, density in blocks(saliency_map, density_map):
        # Converted first: NumPy subtracts 8-bit from floating-point numbers in slow small pieces.
        saliency, density = saliency - mean, density.astype(np.float64)
        density -= centre
        covariance += sum_of_products(saliency, density)
        saliency_variance += sum_of_products(saliency, saliency)
        density_variance += sum_of_products(density, density)
        density_sum += density.sum()
    density_variance -= density_sum**2 / density_map.size
    density_mean = centre + density_sum / density_map.size
    if is_constant(density_map, density_mean, density_variance) or is_constant(saliency_map, mean, saliency_variance):
        return float("nan")
    return float(covariance / (np.sqrt(saliency_variance) * np.sqrt(density_variance)))
