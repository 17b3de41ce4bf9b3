"""AUC-Judd and shuffled AUC: how well a saliency map tells fixated pixels from others.

The benchmark's code draws random numbers in both: jitter against ties in the one, samples of other frames' fixations
in the other. Here both are their expectation over that randomness, in closed form.
"""

import numpy as np

from stavis_jax.metrics.blocks import blocks

TIE_DIGITS = 9  # values of a map in [0, 1] that agree to this digit are ties: the rest is rounding
SHUFFLED_THRESHOLDS = np.arange(11) / 10
RANK_MARGIN = 5e-7  # more than rounding, to TIE_DIGITS and to float32, can move a rank
SMALLEST_RANK = 1e-3  # added before bits are taken: so a bucket is never narrower than two margins
BUCKET_BITS = np.uint32(14)
FIRST_BUCKET, LAST_BUCKET = (int(np.float32(rank).view(np.uint32)) >> 14 for rank in (SMALLEST_RANK / 2, 1.01))
NUM_BUCKETS = LAST_BUCKET - FIRST_BUCKET + 1


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
        # Every negative ties with every positive.
        last_piece = num_others * num_fixated / (num_fixated + 1)
        return float(0.5 + last_piece / (2 * num_fixated * num_others))

    def ranks(values: np.ndarray) -> np.ndarray:
        return ((values - lowest) / (highest - lowest)).round(TIE_DIGITS)

    positives = np.sort(ranks(saliency_map.ravel()[np.flatnonzero(fixated)]))
    # Most negatives lie in buckets of values that hold no positive: their order is known from the bucket alone.
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
    # The others are compared one by one: Mann-Whitney with half credit for ties. Fixated pixels are among them.
    pixels = ranks(np.concatenate(compared))
    lost += 0.5 * (_sum_below(positives, pixels) - _sum_below(positives, positives))
    # The last piece, to (1, 1): the negatives expected above the lowest positive once its ties are broken.
    tied_positives = np.count_nonzero(positives == positives[0])
    ties = np.count_nonzero(pixels == positives[0]) - tied_positives
    above += np.count_nonzero(pixels > positives[0]) - (num_fixated - tied_positives)
    mann_whitney = 1 - lost / (num_fixated * num_others)
    last_piece = above + ties * tied_positives / (tied_positives + 1)
    return float(mann_whitney + last_piece / (2 * num_fixated * num_others))


def _sum_below(positives: np.ndarray, values: np.ndarray) -> float:
    """How many of the sorted positives lie below each value, plus how many do not lie above it; the sum over values."""
    below, not_above = (np.searchsorted(positives, values, side=side) for side in ("left", "right"))
    return below.sum(dtype=np.float64) + not_above.sum(dtype=np.float64)


def _buckets(values: np.ndarray, lowest: float, scale: float, margin: float = 0.0) -> np.ndarray:
    """Values [N] -> numbers of the buckets of their ranks (value - lowest) * scale, in [0, 1], moved by a margin.

    A larger value never has a smaller number. The leading bits of a float32: buckets are a 512th to a 1024th of the
    rank wide, and so finer near 0, where most of a map's pixels are.
    """
    shifted = values - (lowest - (SMALLEST_RANK + margin) / scale)
    shifted *= scale
    ranks = shifted.astype(np.float32)
    bits = ranks.view(np.uint32)
    bits >>= BUCKET_BITS
    return bits.astype(np.intp) - FIRST_BUCKET


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
    values = (saliency_map.ravel()[np.flatnonzero(chosen)] for chosen in (fixated, others))
    stretched = ((chosen - lowest) / (highest - lowest) for chosen in values)
    return _area_between_levels(*map(_count_by_level, stretched))


def shuffled_auc_others(saliency_map: np.ndarray, fixation_map: np.ndarray, fixation_counts: np.ndarray) -> float:
    """The textbook's shuffled AUC: negatives are the fixations of other films; thresholds 0, 0.1, .., 1.

    It differs from `shuffled_auc`, which the original calls sAUC, in three ways: the negatives come from other videos
    of the database instead of the same one; a pixel counts as often as it was fixated, so that negatives have the
    films' common centre bias; pixels fixated in the current frame stay among them.

    Args:
        saliency_map: [H, W].
        fixation_map: [H, W], non-zero where fixated.
        fixation_counts: [H, W], how many fixations of other videos fall on each pixel of this frame.

    Returns:
        A value in [0, 1]; NaN without fixations, without others, or if the map is constant or holds a NaN.
        Source: L. Zhang et al., "SUN", 2008; A. Borji et al., "Analysis of scores, datasets, and models", 2013.
    """
    saliency_map, fixated = np.asarray(saliency_map, np.float64), np.asarray(fixation_map) != 0
    counts = np.asarray(fixation_counts)
    if not saliency_map.shape == fixated.shape == counts.shape:
        raise ValueError(
            f"The saliency map has shape {saliency_map.shape}, the fixation maps {fixated.shape} and {counts.shape}."
        )
    lowest, highest = saliency_map.min(), saliency_map.max()
    others = np.flatnonzero(counts)
    if not fixated.any() or not others.size or np.isnan(lowest) or lowest == highest:
        return float("nan")
    positives = _count_by_level((saliency_map[fixated] - lowest) / (highest - lowest))
    negatives = (saliency_map.ravel()[others] - lowest) / (highest - lowest)
    return _area_between_levels(positives, _count_by_level(negatives, counts.ravel()[others]))


def _count_by_level(values: np.ndarray, repeats: np.ndarray | None = None) -> np.ndarray:
    """Values [N] -> how many of them reach 0, 1, .. all of the thresholds, float64 [12]."""
    if repeats is None:  # comparisons of all values at once beat a search for each
        reached = [values.size, *(np.count_nonzero(values >= threshold) for threshold in SHUFFLED_THRESHOLDS), 0]
        return -np.diff(np.array(reached, np.float64))
    levels = np.searchsorted(SHUFFLED_THRESHOLDS, values, side="right")
    return np.bincount(levels, repeats, minlength=SHUFFLED_THRESHOLDS.size + 1).astype(np.float64)


def _area_between_levels(positives: np.ndarray, negatives: np.ndarray) -> float:
    negatives_below = np.cumsum(negatives) - negatives
    wins = (positives * (negatives_below + 0.5 * negatives)).sum()
    return float(wins / (positives.sum() * negatives.sum()))
