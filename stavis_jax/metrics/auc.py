"""AUC-Judd and shuffled AUC: how well a saliency map separates fixated pixels from others.

The benchmark's code draws random numbers in both: jitter that breaks ties in AUC-Judd, samples of other frames'
fixations in the shuffled AUC. Both functions return the expectation over these draws, in closed form.
"""

import numpy as np

from stavis_jax.metrics.arrays import BLOCK_PIXELS, blocks, check_same_shape
from stavis_jax.metrics.measured_map import AnyMap, MeasuredMap, map_and_fixated, measured

TIE_DIGITS = 9  # values of a map in [0, 1] that agree to this digit are ties: the rest is rounding
RANK_MARGIN = 2e-9  # more than the rounding to TIE_DIGITS can move a value
SHUFFLED_THRESHOLDS = np.arange(11) / 10
BUCKET_BITS = 17  # more buckets share fewer pixels, but leave the processor's cache
NUM_BUCKETS = (1 << BUCKET_BITS) + 1
SHARED = -1


def auc_judd(saliency_map: AnyMap, fixation_map: np.ndarray) -> float:
    """Returns the area under the ROC curve whose thresholds are the values at fixations.

    Every pixel that is not fixated is a negative.
    Formula: mean over pairs (fixated, other) of [s_f > s_o] + [s_f = s_o] / 2, plus the area of the curve's last piece,
    (A + T k / (k + 1)) / (2 n m), for n fixated and m other pixels, k fixated and T other pixels equal to the lowest
    fixated value, A other pixels above it.
    Range: 0 to 1, slightly more than 0.5 for a constant map, higher is better.
    NaN without fixations, without other pixels, or if the saliency map holds a NaN.
    Compared with AUC_Judd.m of the MIT saliency benchmark.

    Args:
        saliency_map: [H, W].
        fixation_map: [H, W], non-zero where fixated.
    """
    saliency, fixated = map_and_fixated(saliency_map, fixation_map)
    lowest, highest = saliency.lowest, saliency.highest
    num_fixated, num_others = fixated.size, saliency.values.size - fixated.size
    if not num_fixated or not num_others or saliency.has_nan:
        return float("nan")
    if saliency.is_constant:
        # Every negative ties with every positive.
        last_piece = num_others * num_fixated / (num_fixated + 1)
        return float(0.5 + last_piece / (2 * num_fixated * num_others))

    def ranks(values: np.ndarray) -> np.ndarray:
        return ((values - lowest) / (highest - lowest)).round(TIE_DIGITS)

    # Most pixels lie in buckets without positives. The bucket tells how many positives are below such a pixel.
    positives = np.sort(saliency.values.ravel()[fixated])
    buckets = _Buckets(lowest, highest)
    edges = np.concatenate([[0], buckets.numbers(positives) + 1, [NUM_BUCKETS]])
    positives_below = np.repeat(np.arange(num_fixated + 1, dtype=np.int32), np.diff(edges))
    margin = RANK_MARGIN * (highest - lowest)
    for moved in ((positives - margin).clip(lowest), (positives + margin).clip(max=highest)):
        positives_below[buckets.numbers(moved)] = SHARED
    above, lost = 0, 0.0
    compared = []
    room, of_pixels = np.empty(BLOCK_PIXELS), np.empty(BLOCK_PIXELS, np.int32)
    for (values,) in blocks(saliency.values):
        numbers = buckets.numbers(values, out=room[: values.size])
        below = positives_below.take(numbers, out=of_pixels[: values.size], mode="clip")  # "raise" would copy `out`
        shared = np.flatnonzero(below == SHARED)
        compared.append(values[shared])
        lost += int(below.sum(dtype=np.int64)) - SHARED * shared.size
        above += int(np.count_nonzero(below > 0))
    # The remaining pixels are compared one by one, with half credit for ties. Fixated pixels are among them.
    positives, pixels = ranks(positives), ranks(np.concatenate(compared))
    lost += 0.5 * (_sum_below(positives, pixels) - _sum_below(positives, positives))
    # The last piece, to (1, 1): the expected number of negatives above the lowest positive once ties are broken.
    tied_positives = int(np.count_nonzero(positives == positives[0]))
    ties = np.count_nonzero(pixels == positives[0]) - tied_positives
    above += int(np.count_nonzero(pixels > positives[0])) - (num_fixated - tied_positives)
    mann_whitney = 1 - lost / (num_fixated * num_others)
    last_piece = above + ties * tied_positives / (tied_positives + 1)
    return float(mann_whitney + last_piece / (2 * num_fixated * num_others))


def _sum_below(positives: np.ndarray, values: np.ndarray) -> float:
    """Returns the sum over values of two counts: sorted positives below the value, and positives not above it."""
    below, not_above = (np.searchsorted(positives, values, side=side) for side in ("left", "right"))
    return below.sum(dtype=np.float64) + not_above.sum(dtype=np.float64)


class _Buckets:
    """Equal parts of the range of a map, 2^16 to 2^17 of them. A larger value is never in an earlier part."""

    def __init__(self, lowest: float, highest: float):
        self._lowest = lowest
        # The distance from this power of two to the next float64 is the width of a part.
        self._anchor = np.ldexp(1.0, int(np.frexp(highest - lowest)[1]) + 52 - BUCKET_BITS)
        self._first = self._anchor.view(np.int64)

    def numbers(self, values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Returns the number of the part, from 0, of each value [N] between the lowest and the highest.

        out: memory for the result, float64 [N].
        """
        shifted = np.subtract(values, self._lowest, out=out)
        shifted += self._anchor  # which rounds to whole parts
        numbers = shifted.view(np.int64)
        numbers -= self._first
        return numbers


def shuffled_auc(saliency_map: AnyMap, fixation_map: np.ndarray, other_fixations: np.ndarray) -> float:
    """Returns the area under the ROC curve with fixations of the same video's other frames as negatives.

    Formula: mean over pairs (fixated f, negative o) of [l_f > l_o] + [l_f = l_o] / 2, where l counts the thresholds
    0, 0.1, .., 1 that the map, stretched to [0, 1], reaches at the pixel.
    Range: 0 to 1, 0.5 at chance, higher is better.
    NaN without fixations, without negatives, or if the saliency map is constant or holds a NaN.
    Compared with AUC_shuffled.m of the MIT saliency benchmark.

    Args:
        saliency_map: [H, W].
        fixation_map: [H, W], non-zero where fixated.
        other_fixations: [H, W], non-zero where any frame of the video was fixated. Pixels that hold a 1 in
            `fixation_map` are removed here, so the current frame may be part of the union.
    """
    fixation_map, other_fixations = np.asarray(fixation_map), np.asarray(other_fixations)
    saliency = measured(saliency_map)
    check_same_shape(saliency.values, fixation_map, other_fixations)
    others = np.flatnonzero(other_fixations != 0)
    return _shuffled_area(saliency, fixation_map, others[fixation_map.ravel()[others] != 1])


def shuffled_auc_others(saliency_map: AnyMap, fixation_map: np.ndarray, fixation_counts: np.ndarray) -> float:
    """Returns the textbook's shuffled AUC: negatives are the fixations of other films.

    Formula, range and NaN as in `shuffled_auc`, which the original calls sAUC. Three things differ: the negatives come
    from other videos of the database instead of the same one; a pixel counts as often as it was fixated, so that
    negatives have the films' common centre bias; pixels fixated in the current frame stay among them.
    Sources: L. Zhang et al., "SUN", 2008; A. Borji et al., "Analysis of scores, datasets, and models", 2013.

    Args:
        saliency_map: [H, W].
        fixation_map: [H, W], non-zero where fixated.
        fixation_counts: [H, W], how many fixations of other videos fall on each pixel of this frame.
    """
    saliency, counts = measured(saliency_map), np.asarray(fixation_counts)
    check_same_shape(saliency.values, counts)
    others = np.flatnonzero(counts != 0)
    return _shuffled_area(saliency, fixation_map, others, counts.ravel()[others])


def _shuffled_area(
    saliency: MeasuredMap, fixation_map: np.ndarray, negative: np.ndarray, repeats: np.ndarray | None = None
) -> float:
    """Returns the shuffled AUC with negatives at N positions in the flattened map, each counted `repeats` [N] times."""
    saliency, positive = map_and_fixated(saliency, fixation_map)
    if not positive.size or not negative.size or saliency.has_nan or saliency.is_constant:
        return float("nan")
    values, lowest, highest = saliency.values.ravel(), saliency.lowest, saliency.highest
    positives, negatives = ((values[pixels] - lowest) / (highest - lowest) for pixels in (positive, negative))
    return _area_between_levels(_count_by_level(positives), _count_by_level(negatives, repeats))


def _count_by_level(values: np.ndarray, repeats: np.ndarray | None = None) -> np.ndarray:
    """Returns how many of the values [N] reach exactly 0, 1, .. 11 of the thresholds, float64 [12]."""
    if repeats is None:  # comparing all values at once is faster than a search for each
        reached = [values.size, *(np.count_nonzero(values >= threshold) for threshold in SHUFFLED_THRESHOLDS), 0]
        return -np.diff(np.array(reached, np.float64))
    levels = np.searchsorted(SHUFFLED_THRESHOLDS, values, side="right")
    return np.bincount(levels, repeats, minlength=SHUFFLED_THRESHOLDS.size + 1).astype(np.float64)


def _area_between_levels(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Returns the share of pairs in which the positive reaches more thresholds; equal ones count half."""
    negatives_below = np.cumsum(negatives) - negatives
    wins = (positives * (negatives_below + 0.5 * negatives)).sum()
    return float(wins / (positives.sum() * negatives.sum()))
