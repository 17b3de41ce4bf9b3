"""Defines scores as the paper and other benchmarks compute them.

A benchmark is a row of `BENCHMARKS`. The sources are listed in docs/public_benchmarks.md.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_pipelines.shards.annotations import AnnotationSource, open_annotations
from data_pipelines.shards.reader import INFO_FILE
from stavis_jax.metrics.auc import auc_judd, shuffled_auc_others
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.crowd_challenge import (
    crowd_auc_judd,
    crowd_cc,
    crowd_nss,
    crowd_sim,
    resize_linear,
    stretched,
)
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.postprocessing import imresize_bicubic, postprocess
from stavis_jax.metrics.sampled_auc import auc_judd_sampled, shuffled_auc_others_sampled
from stavis_jax.metrics.sim import sim
from stavis_jax.scoring.crowd_films import CrowdFilms
from stavis_jax.scoring.frame_scores import score_frame
from stavis_jax.scoring.published_maps import PublishedMaps

FIRST_SCORED_FRAME = 9  # the original names window i (from 0) as frame 9 + i, so frames 1 to 8 have no map


@dataclasses.dataclass(frozen=True)
class FrameToScore:
    """A map and the gaze on its frame.

    Attributes:
        prediction: map as it was read, [h, w] in [0, 255].
        density_map: [H, W].
        points: row and column of each fixation, int [N, 2].
        shape: height and width of the fixation map.
        same_video: [H, W], non-zero where any frame of the video was fixated; None for a still.
        others: [H, W], how many fixations of other frames or videos fall on each pixel; None if there are none.
        baseline: map that information gain is measured from, [H, W]; None if there is none.
        generator: draws of the sampled AUCs, None for the exact ones.
    """

    prediction: np.ndarray
    density_map: np.ndarray
    points: np.ndarray
    shape: tuple[int, int]
    same_video: np.ndarray | None = None
    others: np.ndarray | None = None
    baseline: np.ndarray | None = None
    generator: np.random.Generator | None = None

    def fixation_map(self) -> np.ndarray:
        """Returns uint8 [H, W], 1 at fixated pixels."""
        fixation_map = np.zeros(self.shape, np.uint8)
        fixation_map[self.points[:, 0], self.points[:, 1]] = 1
        return fixation_map


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Definitions of scores.

    Attributes:
        title: name of the benchmark, and of its database where its own layout is read.
        difference: how its scores differ from the paper's, for the user.
        score: frame -> metric -> value.
        first_frame: first frame that is scored, from 1.
        weighs_frames: whether the mean of a database is over all frames, instead of over videos.
        drawn_frames: number of frames, drawn anew for each frame from all scored films, whose fixated pixels are the
            negatives of sAUC. With 0, none are drawn.
        uses_baseline: whether there is information gain.
        layout: opens the benchmark's own layout as a source of annotations.
    """

    title: str
    difference: str
    score: Callable[[FrameToScore], dict[str, float]]
    first_frame: int = 1
    weighs_frames: bool = False
    drawn_frames: int = 0
    uses_baseline: bool = False
    layout: Callable[[Path, str], AnnotationSource] | None = None

    def annotations(self, data: Path) -> AnnotationSource:
        """Opens raw data, shards, or the benchmark's own layout. Raises UserError if the folder is none of them."""
        is_ours = (data / INFO_FILE).is_file() or (data / "video_frames").is_dir()
        if self.layout is None or is_ours or not data.is_dir():
            return open_annotations(data)
        return self.layout(data, self.title)


def _paper(frame: FrameToScore) -> dict[str, float]:
    return score_frame(
        postprocess(frame.prediction, frame.density_map.shape),
        frame.density_map,
        frame.fixation_map(),
        frame.same_video,
        fixation_counts=frame.others,
        baseline_map=frame.baseline,
        generator=frame.generator,
    )


def _dhf1k(frame: FrameToScore) -> dict[str, float]:
    saliency_map = imresize_bicubic(frame.prediction, frame.density_map.shape)
    fixation_map = frame.fixation_map()
    scores = {
        "CC": cc(saliency_map, frame.density_map),
        "NSS": nss(saliency_map, fixation_map),
        "AUC-J": auc_judd(saliency_map, fixation_map)
        if frame.generator is None
        else auc_judd_sampled(saliency_map, fixation_map, seed=frame.generator),
    }
    if frame.others is not None:
        scores["sAUC"] = (
            shuffled_auc_others(saliency_map, fixation_map, frame.others)
            if frame.generator is None
            else shuffled_auc_others_sampled(saliency_map, fixation_map, frame.others, seed=frame.generator)
        )
    return scores | {"SIM": sim(saliency_map, frame.density_map)}


def _crowd(frame: FrameToScore) -> dict[str, float]:
    saliency_map = resize_linear(stretched(frame.prediction), frame.density_map.shape)
    density_map = stretched(frame.density_map)
    return {
        "CC": crowd_cc(saliency_map, density_map),
        "NSS": crowd_nss(saliency_map, frame.points),
        "AUC-J": crowd_auc_judd(saliency_map, frame.points),
        "SIM": crowd_sim(saliency_map, density_map),
    }


_MAPS = (
    "maps are resized, not blurred. sAUC takes the fixated pixels of ten random frames of the database as negatives. "
    "All frames count, and a database is the mean over its frames. The paper blurs maps, takes negatives from the same "
    "video, starts at frame 9, and averages videos."
)
_CROWD = (
    "maps are stretched and resized linearly, not blurred. A pixel counts as often as it was fixated. Deviations are "
    "those of the population, and a constant map scores 0 in CC and NSS. All frames count, and there is no sAUC. The "
    "paper blurs maps, counts a pixel once, gives a constant map no score, and starts at frame 9."
)
PAPER = Benchmark("paper", "", _paper, first_frame=FIRST_SCORED_FRAME, uses_baseline=True)
BENCHMARKS = {
    "paper": PAPER,
    **{
        name: Benchmark(title, _MAPS, _dhf1k, weighs_frames=True, drawn_frames=10, layout=PublishedMaps)
        for name, title in (("dhf1k", "DHF1K"), ("hollywood2", "Hollywood-2"), ("ucf-sports", "UCF-Sports"))
    },
    **{
        name: Benchmark(title, _CROWD, _crowd, layout=CrowdFilms)
        for name, title in (("avimos", "AViMoS"), ("ntire2026", "NTIRE 2026"), ("crowdsal", "CrowdSAL"))
    },
}
