"""AUC-Judd and shuffled AUC: how well a saliency map tells fixated pixels from others.

The benchmark's code draws random numbers in both: jitter against ties in the one, samples of other frames' fixations
in the other. Here both are their expectation over that randomness, in closed form.
"""

import numpy as np

TIE_DIGITS = 9  # values of a map in [0, 1] that agree to this digit are ties: the rest is rounding
SHUFFLED_THRESHOLDS = np.arange(11) / 10


def auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Area under the ROC curve whose thresholds are the values at fixations; every other pixel is a negative.

    Since thresholds exist at fixated values only, the curve's last piece makes it slightly more than the Mann-Whitney
    area. Ties are what the benchmark's jitter makes of them on average.

    Args:
        saliency_map: [H, W].
        fixation_map: [H, W], non-zero where fixated.

    Returns:
        A value in [0, 1]; NaN without fixations, without other pixels, or if the map holds a NaN.
    """
    saliency_map, fixated = np.asarray(saliency_map, np.float64), np.asarray(fixation_map) != 0
    if saliency_map.shape != fixated.shape:
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the fixation map {fixated.shape}.")
    num_fixated = np.count_nonzero(fixated)
    num_others = fixated.size - num_fixated
    lowest, highest = saliency_map.min(), saliency_map.max()
    if not num_fixated or not num_others or np.isnan(lowest):
        return float("nan")
    if lowest == highest:
        ranks = np.zeros_like(saliency_map)
    else:
        ranks = ((saliency_map - lowest) / (highest - lowest)).round(TIE_DIGITS)
    positives, negatives = np.sort(ranks[fixated]), ranks[~fixated]
    # Mann-Whitney with half credit for ties; a negative below every positive needs no search.
    negatives = negatives[negatives >= positives[0]]
    below = np.searchsorted(positives, negatives, side="left").sum(dtype=np.float64)
    not_above = np.searchsorted(positives, negatives, side="right").sum(dtype=np.float64)
    mann_whitney = 1 - 0.5 * (below + not_above) / (num_fixated * num_others)
    # The last piece, to (1, 1): the negatives expected above the lowest positive once its ties are broken.
    ties = np.count_nonzero(negatives == positives[0])
    above = negatives.size - ties
    tied_positives = np.count_nonzero(positives == positives[0])
    last_piece = above + ties * tied_positives / (tied_positives + 1)
    return float(mann_whitney + last_piece / (2 * num_fixated * num_others))


def shuffled_auc(saliency_map: np.ndarray, fixation_map: np.ndarray, other_fixations: np.ndarray) -> float:
    """Area under the ROC curve with fixations of the same video's other frames as negatives; thresholds 0, 0.1, .., 1.

    Args:
        saliency_map: [H, W].
        fixation_map: [H, W], non-zero where fixated.
        other_fixations: [H, W], non-zero where any frame of the video was fixated. Pixels that hold a 1 in
            `fixation_map` are removed here, so the current frame may be part of the union.

    Returns:
        A value in [0, 1]; NaN without fixations, without others, or if the map is constant or holds a NaN.
    """
    saliency_map, fixation_map = np.asarray(saliency_map, np.float64), np.asarray(fixation_map)
    fixated = fixation_map != 0
    others = (np.asarray(other_fixations) != 0) & (fixation_map != 1)
    if not saliency_map.shape == fixated.shape == others.shape:
        raise ValueError(
            f"The saliency map has shape {saliency_map.shape}, the fixation maps {fixated.shape} and {others.shape}."
        )
    lowest, highest = saliency_map.min(), saliency_map.max()
    if not fixated.any() or not others.any() or np.isnan(lowest) or lowest == highest:
        return float("nan")
    positives = _count_by_level((saliency_map[fixated] - lowest) / (highest - lowest))
    negatives = _count_by_level((saliency_map[others] - lowest) / (highest - lowest))
    negatives_below = np.cumsum(negatives) - negatives
    wins = positives @ (negatives_below + 0.5 * negatives)
    return float(wins / (positives.sum() * negatives.sum()))


def _count_by_level(values: np.ndarray) -> np.ndarray:
    """Values [N] -> how many of them reach 0, 1, .. all of the thresholds, float64 [12]."""
    levels = np.searchsorted(SHUFFLED_THRESHOLDS, values, side="right")
    return np.bincount(levels, minlength=SHUFFLED_THRESHOLDS.size + 1).astype(np.float64)
