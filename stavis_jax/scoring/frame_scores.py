"""One frame: prediction and recorded gaze -> a value for each metric."""

import dataclasses
import zlib
from typing import Literal

import numpy as np

from stavis_jax.metrics.auc import auc_judd, shuffled_auc, shuffled_auc_others
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.information import information_gain, kl_divergence
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.postprocessing import postprocess
from stavis_jax.metrics.sampled_auc import auc_judd_sampled, shuffled_auc_others_sampled, shuffled_auc_sampled
from stavis_jax.metrics.sim import sim

METRICS = ("CC", "NSS", "AUC-J", "sAUC", "SIM")  # the order of the paper's tables
ALL_METRICS = (*METRICS, "sAUC-others", "KL", "IG")
LOWER_IS_BETTER = frozenset({"KL"})
ESTIMATORS = ("exact", "sampled")


@dataclasses.dataclass(frozen=True)
class Estimators:
    """How the AUCs treat what is random in the original: its expectation (exact), or draws from a seed (sampled).

    A frame's draws depend on the seed and the frame alone, not on the order of scoring.
    """

    kind: Literal["exact", "sampled"] = "exact"
    seed: int = 0

    def generator(self, database: str, video: str, number: int) -> np.random.Generator | None:
        """For one frame; None if exact."""
        if self.kind == "exact":
            return None
        return np.random.default_rng([self.seed, zlib.crc32(f"{database}/{video}".encode()), number])


EXACT = Estimators()


def score_frame(
    prediction: np.ndarray,
    density_map: np.ndarray,
    fixation_map: np.ndarray,
    other_fixations: np.ndarray,
    *,
    fixation_counts: np.ndarray | None = None,
    baseline_map: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
) -> dict[str, float]:
    """Metric -> value of one frame.

    Args:
        prediction: uint8 [h, w].
        density_map: [H, W].
        fixation_map: [H, W], 1 where fixated.
        other_fixations: [H, W], non-zero where any frame of the video was fixated.
        fixation_counts: [H, W], fixations of other videos; without them no sAUC-others.
        baseline_map: [H, W], prepared by `postprocess` as the prediction is; without it no IG.
        generator: of the random estimators; None for the exact ones.
    """
    return score_map(
        postprocess(prediction, density_map.shape),
        density_map,
        fixation_map,
        other_fixations,
        fixation_counts=fixation_counts,
        baseline_map=baseline_map,
        generator=generator,
    )


def score_map(
    saliency_map: np.ndarray,
    density_map: np.ndarray,
    fixation_map: np.ndarray,
    other_fixations: np.ndarray,
    *,
    fixation_counts: np.ndarray | None = None,
    baseline_map: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
) -> dict[str, float]:
    """`score_frame` of a map that is prepared already: float64 [H, W]."""
    scores = {
        "CC": cc(saliency_map, density_map),
        "NSS": nss(saliency_map, fixation_map),
        "AUC-J": auc_judd(saliency_map, fixation_map)
        if generator is None
        else auc_judd_sampled(saliency_map, fixation_map, seed=generator),
        "sAUC": shuffled_auc(saliency_map, fixation_map, other_fixations)
        if generator is None
        else shuffled_auc_sampled(saliency_map, fixation_map, other_fixations, seed=generator),
        "SIM": sim(saliency_map, density_map),
    }
    if fixation_counts is not None:
        scores["sAUC-others"] = (
            shuffled_auc_others(saliency_map, fixation_map, fixation_counts)
            if generator is None
            else shuffled_auc_others_sampled(saliency_map, fixation_map, fixation_counts, seed=generator)
        )
    scores["KL"] = kl_divergence(saliency_map, density_map)
    if baseline_map is not None:
        scores["IG"] = information_gain(saliency_map, fixation_map, baseline_map)
    return scores
