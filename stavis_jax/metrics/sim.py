"""SIM: similarity, the mass that two maps have in common."""

import numpy as np


def sim(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Sum of the pixelwise minimum of two maps [H, W], each stretched to [0, 1] and divided by its sum. In [0, 1].

    0 if a map is zero everywhere: a frame without gaze counts as 0. NaN if a map is another constant or holds a NaN.
    """
    saliency_map, density_map = np.asarray(saliency_map, np.float64), np.asarray(density_map, np.float64)
    if saliency_map.shape != density_map.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the density map {density_map.shape}.")
    return float(np.minimum(_as_distribution(saliency_map), _as_distribution(density_map)).sum())


def _as_distribution(values: np.ndarray) -> np.ndarray:
    if not values.any():
        return values
    lowest, highest = values.min(), values.max()
    if lowest == highest:
        return np.full_like(values, np.nan)
    stretched = (values - lowest) / (highest - lowest)
    return stretched / stretched.sum()
