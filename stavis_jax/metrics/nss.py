"""NSS: normalised scanpath saliency."""

import numpy as np


def nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Mean of the standardised saliency map [H, W] over the fixated (non-zero) pixels of the fixation map [H, W].

    A pixel counts once, however often it was fixated. NaN without fixations, and if the map is constant or holds a NaN.
    """
    saliency_map, fixated = np.asarray(saliency_map, np.float64), np.asarray(fixation_map) != 0
    if saliency_map.shape != fixated.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the fixation map {fixated.shape}.")
    if not fixated.any() or np.ptp(saliency_map) == 0:
        return float("nan")
    deviation = saliency_map.std(ddof=1)  # the benchmark's MATLAB code divides by n - 1
    return float((saliency_map[fixated].mean() - saliency_map.mean()) / deviation)
