"""SIM: similarity, the mass that two maps have in common."""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape

CANCELLED = 1e-2  # mass / subtracted mass below which subtracting after the sum would lose digits


def sim(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Returns the common mass of two maps [H, W].

    Formula: sum of min(s, d), with each map first stretched to [0, 1] and then divided by its sum.
    Range: 0 to 1, higher is better.
    0 if a map is zero everywhere, so a frame without fixations counts as 0, as in the benchmark. NaN if a map is
    another constant or holds a NaN.
    Compared with similarity.m of the MIT saliency benchmark.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    check_same_shape(saliency_map, density_map)
    # The range of the stretch cancels in the division by the sum.
    (lowest, mass), (lowest_density, density_mass) = _lowest_and_mass(saliency_map), _lowest_and_mass(density_map)
    if np.isnan(mass) or np.isnan(density_mass):
        return float("nan")
    common = 0.0
    for saliency, density in blocks(saliency_map, density_map):
        # Both blocks are in units of the saliency map's mass.
        saliency, density = saliency - lowest, density.astype(np.float64)
        density -= lowest_density
        density *= mass / density_mass
        common += np.minimum(saliency, density, out=density).sum()
    return float(common / mass)


def _lowest_and_mass(values: np.ndarray) -> tuple[np.float64, float]:
    """Returns the minimum and the sum above it. The sum is 1 for a map of zeros, NaN for another constant map."""
    lowest, highest = np.float64(values.min()), np.float64(values.max())
    if lowest == highest:
        return lowest, float("nan") if lowest else 1.0
    mass = values.sum(dtype=np.float64) - values.size * lowest
    if mass > CANCELLED * values.size * abs(lowest):
        return lowest, mass
    return lowest, sum((block - lowest).sum() for (block,) in blocks(values))
