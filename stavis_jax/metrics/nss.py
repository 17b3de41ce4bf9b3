"""NSS: normalised scanpath saliency."""

import numpy as np

from stavis_jax.metrics.measured_map import AnyMap, map_and_fixated


def nss(saliency_map: AnyMap, fixation_map: np.ndarray) -> float:
    """Returns the mean of the standardised saliency map [H, W] over the non-zero pixels of the fixation map [H, W].

    Formula: mean over fixated pixels of (s - mean(s)) / std(s), with the n - 1 standard deviation.
    Range: unbounded, 0 at chance, higher is better. A pixel counts once, however often it was fixated.
    NaN without fixations, and if the saliency map is constant or holds a NaN.
    Compared with NSS.m of the MIT saliency benchmark.
    """
    saliency, fixated = map_and_fixated(saliency_map, fixation_map)
    if not fixated.size or saliency.is_constant:
        return float("nan")
    deviation = np.sqrt(saliency.squares / (saliency.values.size - 1))
    return float((saliency.values.ravel()[fixated].mean() - saliency.mean) / deviation)
