"""CC: linear correlation of a saliency map with the density of fixations."""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape, is_constant, sum_of_products


def cc(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Returns the Pearson correlation of two maps [H, W].

    Formula: sum((s - mean(s)) * (d - mean(d))) / sqrt(sum((s - mean(s))^2) * sum((d - mean(d))^2)).
    Range: -1 to 1, higher is better. The scale of the density (0 to 255 or 0 to 1) does not matter.
    NaN if either map is constant, as the density of a frame without fixations is, or holds a NaN.
    Compared with CC.m of the MIT saliency benchmark.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    check_same_shape(saliency_map, density_map)
    mean = saliency_map.mean(dtype=np.float64)
    # Any centre near the mean works. With 8-bit pixels it is a whole number, so that the sums are exact.
    whole = density_map.dtype == np.uint8
    centre = float(density_map.flat[0]) if whole else density_map.mean(dtype=np.float64)
    covariance = saliency_variance = density_variance = density_sum = 0.0
    for saliency, density in blocks(saliency_map, density_map):
        # The density is converted first: NumPy subtracts floats from 8-bit integers in small, slow pieces.
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
