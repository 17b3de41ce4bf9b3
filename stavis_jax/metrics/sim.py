"""SIM: similarity, the mass that two maps have in common."""

import numpy as np

from stavis_jax.metrics.blocks import blocks

CANCELLED = 1e-2  # below this share of what is subtracted, digits are lost by subtracting after the sum


def sim(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Sum of the pixelwise minimum of two maps [H, W], each stretched to [0, 1] and divided by its sum. In [0, 1].

    0 if a map is zero everywhere: a frame without gaze counts as 0. NaN if a map is another constant or holds a NaN.
    """
    saliency_map, density_map = np.asarray(saliency_map), np.asarray(density_map)
    if saliency_map.shape != density_map.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the density map {density_map.shape}.")
    # The stretch to [0, 1] falls out of the division by the sum.
    (lowest, mass), (lowest_density, density_mass) = _lowest_and_mass(saliency_map), _lowest_and_mass(density_map)
    if np.isnan(mass) or np.isnan(density_mass):
        return float("nan")
    common = 0.0
    for saliency, density in blocks(saliency_map, density_map):
        # Both in units of the saliency map's mass.
        saliency, density = saliency - lowest, density.astype(np.float64)
        density -= lowest_density
        density *= mass / density_mass
        common += np.minimum(saliency, density, out=density).sum()
    return float(common / mass)


def _lowest_and_mass(values: np.ndarray) -> tuple[np.float64, float]:
    """The minimum, and the sum of what lies above it; 1 for a map of zeros, NaN for another constant."""
    lowest, highest = np.float64(values.min()), np.float64(values.max())
    if lowest == highest:
        return lowest, float("nan") if lowest else 1.0
    mass = values.sum(dtype=np.float64) - values.size * lowest
    if mass > CANCELLED * values.size * abs(lowest):
        return lowest, mass
    return lowest, sum((block - lowest).sum() for (block,) in blocks(values))
