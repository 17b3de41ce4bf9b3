"""AUC-Judd and shuffled AUC: how well a saliency map separates fixated pixels from others.

The benchmark's code draws random numbers in both: jitter that breaks ties in AUC-Judd, samples of other frames'
fixations in the shuffled AUC. Both functions return the expectation over these draws, in closed form.
"""

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape, map_and_fixated

TIE_DIGITS = 9  # values of a map in [0, 1] that agree to this digit are ties: the rest is rounding
SHUFFLED_THRESHOLDS = np.arange(11) / 10
RANK_MARGIN = 5e-7  # more than rounding, to TIE_DIGITS and to float32, can move a rank
SMALLEST_RANK = 1e-3  # added to each rank, so that no bucket is narrower than two margins
BUCKET_BITS = np.uint32(14)
FIRST_BUCKET, LAST_BUCKET = (int(np.float32(rank).view(np.uint32)) >> 14 for rank in (SMALLEST_RANK / 2, 1.01))
NUM_BUCKETS = LAST_BUCKET - FIRST_BUCKET + 1


def auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
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
    saliency_map, fixated = map_and_fixated(saliency_map, fixation_map)
    num_fixated = np.count_nonzero(fixated)
    num_others = fixated.size - num_fixated
    lowest, highest = saliency_map.min(), saliency_map.max()
    if not num_fixated or not num_others or np.isnan(lowest):
        return float("nan")
    if lowest == highest:
        # Every negative ties with every positive.
        last_piece = num_others * num_fixated / (num_fixated + 1)
        return float(0.5 + last_piece / (2 * num_fixated * num_others))

    def ranks(values: np.ndarray) -> np.ndarray:
        return ((values - lowest) / (highest - lowest)).round(TIE_DIGITS)

    positives = np.sort(ranks(saliency_map.ravel()[np.flatnonzero(fixated)]))
    # Most negatives lie in buckets that hold no positive: the bucket alone decides which positives are above them.
    shared = np.zeros(NUM_BUCKETS, bool)
    shared[[_buckets(positives, 0.0, 1.0, margin) for margin in (-RANK_MARGIN, RANK_MARGIN)]] = True
    positives_below = np.cumsum(np.bincount(_buckets(positives, 0.0, 1.0), minlength=NUM_BUCKETS))
    histogram = np.zeros(NUM_BUCKETS, np.int64)
    compared = []
    for (values,) in blocks(saliency_map):
        buckets = _buckets(values, lowest, 1 / (highest - lowest))
        histogram += np.bincount(buckets, minlength=NUM_BUCKETS)
        compared.append(values[np.flatnonzero(shared.take(buckets))])
    histogram[shared] = 0
    above = histogram[positives_below > 0].sum()
    lost = (histogram * positives_below).sum(dtype=np.float64)
    # The remaining pixels are compared one by one, with half credit for ties. Fixated pixels are among them.
    pixels = ranks(np.concatenate(compared))
    lost += 0.5 * (_sum_below(positives, pixels) - _sum_below(positives, positives))
    # The last piece, to (1, 1): the expected number of negatives above the lowest positive once ties are broken.
    tied_positives = np.count_nonzero(positives == positives[0])
    ties = np.count_nonzero(pixels == positives[0]) - tied_positives
    above += np.count_nonzero(pixels > positives[0]) - (num_fixated - tied_positives)
    mann_whitney = 1 - lost / (num_fixated * num_others)
    last_piece = above + ties * tied_positives / (tied_positives + 1)
    return float(mann_whitney + last_piece / (2 * num_fixated * num_others))


def _sum_below(positives: np.ndarray, values: np.ndarray) -> float:
    """Returns the sum over values of two counts: sorted positives below the value, and positives not above it."""
    below, not_above = (np.searchsorted(positives, values, side=side) for side in ("left", "right"))
    return below.sum(dtype=np.float64) + not_above.sum(dtype=np.float64)


def _buckets(values: np.ndarray, lowest: float, scale: float, margin: float = 0.0) -> np.ndarray:
    """Returns the bucket number of each value [N]. Its rank is (value - lowest) * scale, in [0, 1], plus the margin.

    A larger value never has a smaller number. A bucket is the leading bits of a float32, so it is a 512th to a 1024th
    of the rank wide. Buckets are therefore finer near 0, where most pixels of a map are.
    """
    shifted = values - (lowest - (SMALLEST_RANK + margin) / scale)
    shifted *= scale
    ranks = shifted.astype(np.float32)
    bits = ranks.view(np.uint32)
    bits >>= BUCKET_BITS
    return bits.astype(np.intp) - FIRST_BUCKET


def shuffled_auc(saliency_map: np.ndarray, fixation_map: np.ndarray, other_fixations: np.ndarray) -> float:
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
    fixation_map = np.asarray(fixation_map)
    others = (np.asarray(other_fixations) != 0) & (fixation_map != 1)
    return _shuffled_area(saliency_map, fixation_map, others)


def shuffled_auc_others(saliency_map: np.ndarray, fixation_map: np.ndarray, fixation_counts: np.ndarray) -> float:
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
    return _shuffled_area(saliency_map, fixation_map, np.asarray(fixation_counts), weighted=True)


def _shuffled_area(
    saliency_map: np.ndarray, fixation_map: np.ndarray, others: np.ndarray, weighted: bool = False
) -> float:
    """Returns the shuffled AUC with negatives where `others` is not zero, each counted that often if `weighted`."""
    saliency_map, fixated = map_and_fixated(saliency_map, fixation_map)
    check_same_shape(saliency_map, others)
    lowest, highest = saliency_map.min(), saliency_map.max()
    positive, negative = np.flatnonzero(fixated), np.flatnonzero(others)
    if not positive.size or not negative.size or np.isnan(lowest) or lowest == highest:
        return float("nan")
    values = saliency_map.ravel()
    positives, negatives = ((values[pixels] - lowest) / (highest - lowest) for pixels in (positive, negative))
    repeats = others.ravel()[negative] if weighted else None
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
