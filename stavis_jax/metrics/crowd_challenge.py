"""The metrics of the AIM 2024 and NTIRE 2026 challenges on video saliency prediction (AViMoS, CrowdSAL).

They differ from the other metrics of this package in small things: a map is stretched but not blurred, and resized
linearly; every fixation counts, also where several share a pixel; deviations are those of the population; and a small
number in each denominator gives a constant map a score instead of NaN.

Source: bench.py of github.com/msu-video-group/ECCVW24_Saliency_Prediction (2024) and NTIRE26_Saliency_Prediction
(2026, the same as CrowdSAL's), whose formulas are the same.
"""

import numpy as np

from stavis_jax.metrics.arrays import check_same_shape

STRETCH_EPSILON = float(np.finfo(np.float32).eps)
EPSILON = 1e-7


def stretched(levels: np.ndarray) -> np.ndarray:
    """Returns a map [h, w] of any levels as float64 in [0, 1): (s - min) / (max - min + 1.19e-7)."""
    levels = np.asarray(levels, np.float64)
    lowest = levels.min()
    return (levels - lowest) / (levels.max() - lowest + STRETCH_EPSILON)


def resize_linear(saliency_map: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes [h, w] to [H, W] between the two nearest pixels of each axis, without antialiasing.

    Pixel centres are at half pixels, and the edge is repeated, as in OpenCV's `resize`. Flat parts stay exactly flat,
    because the AUC counts ties.
    """
    saliency_map = np.asarray(saliency_map, np.float64)
    if saliency_map.shape == shape:
        return saliency_map
    (top, bottom, down), (left, right, across) = map(_neighbours, saliency_map.shape, shape)
    wide = saliency_map[:, left] + (saliency_map[:, right] - saliency_map[:, left]) * across
    return wide[top] + (wide[bottom] - wide[top]) * down[:, None]


def crowd_cc(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Returns the correlation of two maps [H, W], 0 if one is constant.

    Formula: sum(a b) / sqrt(sum(a a) sum(b b) + 1e-7), with a = (s - mean(s)) / (std(s) + 1e-7) and b of the density.
    """
    check_same_shape(saliency_map, density_map)
    a, b = _standardised(saliency_map), _standardised(density_map)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + EPSILON))


def crowd_sim(saliency_map: np.ndarray, density_map: np.ndarray) -> float:
    """Returns the common mass of two maps [H, W]: sum of min(s / (sum(s) + 1e-7), d / (sum(d) + 1e-7))."""
    check_same_shape(saliency_map, density_map)
    a, b = (values / (values.sum() + EPSILON) for values in (saliency_map, density_map))
    return float(np.minimum(a, b).sum())


def crowd_nss(saliency_map: np.ndarray, points: np.ndarray) -> float:
    """Returns the mean of (s - mean(s)) / (std(s) + 1e-7) over all fixations; NaN without any.

    Args:
        saliency_map: [H, W].
        points: row and column of each fixation, int [N, 2]. A pixel counts as often as it occurs.
    """
    if not len(points):
        return float("nan")
    return float(_standardised(saliency_map)[points[:, 0], points[:, 1]].mean())


def crowd_auc_judd(saliency_map: np.ndarray, points: np.ndarray) -> float:
    """Returns the area under the ROC curve whose thresholds are the values at fixations; NaN without any.

    Formula: the trapezoids through (0, 0), ((A_k - k) / (P - U), k / N) for k = 1 .. N, and (1, 1). A_k is the number
    of pixels not below the k-th largest value at fixations, P the number of pixels, N that of fixations. No jitter
    breaks ties. The program means U to be the number of fixated pixels, but counts the distinct ones of the two columns
    of `points`: U is 2, or 1 if every row equals its column. With U = 2, the area of a full-size map is larger by less
    than one part in ten thousand.

    Args:
        saliency_map: [H, W].
        points: row and column of each fixation, int [N, 2]. A pixel counts as often as it occurs.
    """
    if not len(points):
        return float("nan")
    thresholds = np.sort(saliency_map[points[:, 0], points[:, 1]])[::-1]
    candidates = np.sort(saliency_map[saliency_map >= thresholds[-1]])  # the others are below every threshold
    not_below = candidates.size - np.searchsorted(candidates, thresholds, side="left")
    rank = np.arange(1, len(points) + 1)
    distinct = np.unique(points, axis=1).shape[1]
    false_alarms = np.concatenate([[0], (not_below - rank) / (saliency_map.size - distinct), [1]])
    return float(np.trapezoid(np.concatenate([[0], rank / len(points), [1]]), false_alarms))


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + EPSILON)


def _neighbours(source_size: int, target_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the two source pixels of each target pixel of an axis, and the share of the second, [target] each."""
    centres = (np.arange(target_size) + 0.5) * (source_size / target_size) - 0.5
    centres = centres.clip(0, source_size - 1)
    lower = np.floor(centres).astype(int)
    return lower, np.minimum(lower + 1, source_size - 1), centres - lower
