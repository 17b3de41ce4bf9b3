"""CC: linear correlation of a saliency map with the density of fixations."""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape, sum_of_products
from stavis_jax.metrics.measured_map import AnyMap, measured


def cc(saliency_map: AnyMap, density_map: AnyMap) -> float:
    """Returns the Pearson correlation of two maps [H, W].

    Formula: sum((s - mean(s)) * (d - mean(d))) / sqrt(sum((s - mean(s))^2) * sum((d - mean(d))^2)).
    Range: -1 to 1, higher is better. The scale of the density (0 to 255 or 0 to 1) does not matter.
    NaN if either map is constant, as the density of a frame without fixations is, or holds a NaN.
    Compared with CC.m of the MIT saliency benchmark.
    """
    saliency, density = measured(saliency_map), measured(density_map)
    check_same_shape(saliency.values, density.values)
    if saliency.is_constant or density.is_constant:
        return float("nan")
    covariance = -saliency.values.size * (saliency.mean - saliency.centre) * (density.mean - density.centre)
    for of_saliency, of_density in blocks(saliency.values, density.values):
        covariance += sum_of_products(saliency.centred(of_saliency), density.centred(of_density))
    return float(covariance / (np.sqrt(saliency.squares) * np.sqrt(density.squares)))
