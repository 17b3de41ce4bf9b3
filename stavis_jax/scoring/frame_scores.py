"""Scores one frame: a saliency map and recorded gaze -> a value for each metric."""

import dataclasses
import functools
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import numpy as np

from stavis_jax.metrics.auc import auc_judd, shuffled_auc, shuffled_auc_others
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.information import information_gain, kl_divergence
from stavis_jax.metrics.measured_map import MeasuredMap
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.sampled_auc import auc_judd_sampled, shuffled_auc_others_sampled, shuffled_auc_sampled
from stavis_jax.metrics.sim import sim

METRICS = ("CC", "NSS", "AUC-J", "sAUC", "SIM")  # the order of the paper's tables
ALL_METRICS = (*METRICS, "sAUC-others", "KL", "IG")
STILL_METRICS = ("CC", "NSS", "AUC-J", "sAUC-others", "SIM", "KL", "IG")  # the textbook's sAUC leads, alone
LOWER_IS_BETTER = frozenset({"KL"})
ESTIMATORS = ("exact", "sampled")


@dataclasses.dataclass(frozen=True)
class Estimators:
    """How the AUCs treat the original's random draws: `exact` takes their expectation, `sampled` draws from a seed.

    The draws of a frame depend on the seed and the frame alone, not on the order of scoring.
    """

    kind: Literal["exact", "sampled"] = "exact"
    seed: int = 0

    def generator(self, database: str, video: str, number: int) -> np.random.Generator | None:
        """Returns the generator of one frame, None if exact."""
        return None if self.kind == "exact" else frame_generator(self.seed, database, video, number)


EXACT = Estimators()


def frame_generator(seed: int, database: str, video: str, number: int) -> np.random.Generator:
    """Returns a random generator that depends on the seed and the frame alone."""
    return np.random.default_rng([seed, zlib.crc32(f"{database}/{video}".encode()), number])


def score_frame(
    saliency_map: np.ndarray,
    density_map: np.ndarray,
    fixation_map: np.ndarray,
    other_fixations: np.ndarray | None,
    *,
    fixation_counts: np.ndarray | None = None,
    baseline_map: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
) -> dict[str, float]:
    """Returns metric -> value of one frame.

    Args:
        saliency_map: float64 [H, W], from `metrics.postprocess`.
        density_map: [H, W].
        fixation_map: [H, W], 1 where fixated.
        other_fixations: [H, W], non-zero where any frame of the video was fixated. Without them, as for a still, there
            is no sAUC.
        fixation_counts: [H, W], fixations of other videos. Without them there is no sAUC-others.
        baseline_map: [H, W], from `metrics.postprocess`. Without it there is no IG.
        generator: draws of the sampled AUCs, None for the exact ones.
    """
    if generator is None:
        judd, shuffled, others = auc_judd, shuffled_auc, shuffled_auc_others
    else:
        judd, shuffled, others = (
            functools.partial(function, seed=generator)
            for function in (auc_judd_sampled, shuffled_auc_sampled, shuffled_auc_others_sampled)
        )
    saliency, density = MeasuredMap(saliency_map), MeasuredMap(density_map)
    scores = {
        "CC": cc(saliency, density),
        "NSS": nss(saliency, fixation_map),
        "AUC-J": judd(saliency, fixation_map),
    }
    if other_fixations is not None:
        scores["sAUC"] = shuffled(saliency, fixation_map, other_fixations)
    scores["SIM"] = sim(saliency, density)
    if fixation_counts is not None:
        scores["sAUC-others"] = others(saliency, fixation_map, fixation_counts)
    scores["KL"] = kl_divergence(saliency, density)
    if baseline_map is not None:
        scores["IG"] = information_gain(saliency, fixation_map, baseline_map)
    return scores


def mean_scores(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Returns the mean of each metric that all rows have. A NaN in a row stays."""
    rows = list(rows)
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in shared_metrics(rows)}


def shared_metrics(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Returns the metrics that all rows have, in the order of the tables; none if there is no row."""
    rows = list(rows)
    return in_order({metric for metric in ALL_METRICS if rows and all(metric in row for row in rows)})


def in_order(metrics: Collection[str]) -> list[str]:
    """Returns metrics in the order of the tables. Where there is no sAUC, sAUC-others takes its place."""
    return [metric for metric in (ALL_METRICS if "sAUC" in metrics else STILL_METRICS) if metric in metrics]
