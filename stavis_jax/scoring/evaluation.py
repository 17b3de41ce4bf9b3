"""Scores folders of maps against recorded gaze, together with baselines. Collects warnings."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from data_pipelines.raw.fold_lists import SPLITS
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import AnnotationSource
from stavis_jax.scoring.aggregation import Results, VideoScores, aggregate
from stavis_jax.scoring.baselines import CENTRE_BIAS, UNIFORM, centre_bias, same_map, uniform_map
from stavis_jax.scoring.benchmarks import PAPER, Benchmark
from stavis_jax.scoring.frame_scores import EXACT, Estimators
from stavis_jax.scoring.observer_scores import OBSERVER_BASELINES, ObserverBaseline, score_observers_of_videos
from stavis_jax.scoring.predicted_videos import find_videos
from stavis_jax.scoring.protocol import PredictedVideo, score_videos
from stavis_jax.scoring.published_source import PublishedSource
from stavis_jax.scoring.score_warnings import counted, print_warnings, split_name, warnings_of

OVERHANG = 7  # the original names a film's last maps by frames after its end
BASELINES = (CENTRE_BIAS, UNIFORM, *OBSERVER_BASELINES)


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """Which videos and frames are scored, and how.

    Attributes:
        databases: folders of the data; by default all that have maps.
        first_frame: first frame to score, from 1; by default the benchmark's.
        benchmark: whose definitions the scores follow.
        sigma_pixels: Gaussian of the observers' baselines; a 20th of the width by default.
        workers: number of processes, one per core by default.
    """

    splits: Sequence[int] = SPLITS
    databases: Sequence[str] | None = None
    first_frame: int | None = None
    benchmark: Benchmark = PAPER
    estimators: Estimators = EXACT
    sigma_pixels: float | None = None
    workers: int | None = None

    @property
    def first(self) -> int:
        """First frame to score, from 1."""
        return self.benchmark.first_frame if self.first_frame is None else self.first_frame


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores of a folder of maps.

    Attributes:
        methods: method -> results; the baselines, then the maps.
        videos: the maps that were scored.
        annotations: the gaze that they were scored against.
        warnings: what was left out or looks wrong, one line each.
    """

    methods: dict[str, Results]
    videos: list[PredictedVideo]
    annotations: AnnotationSource
    warnings: list[str]


def evaluate(
    predictions: Path,
    data: Path,
    name: str = "maps",
    settings: EvaluationSettings | None = None,
    *,
    baselines: Sequence[str] = (),
    console: Console | None = None,
) -> Evaluation:
    """Scores the maps of all test videos that have maps.

    Args:
        predictions: folder of the maps, laid out as the command `evaluate` describes.
        data: raw data folder, or shards, or the layout in which the settings' benchmark is published.
        name: method of the maps in the results.
        baselines: some of `BASELINES`. A baseline that the data do not allow is left out with a warning.
        console: shows warnings and a progress bar. Silent without it.

    Raises:
        UserError: a folder is missing, or no test video has maps, or the benchmark does not define a baseline.
    """
    settings = settings or EvaluationSettings()
    benchmark = settings.benchmark
    if benchmark is not PAPER and (undefined := [name for name in baselines if name in OBSERVER_BASELINES]):
        raise UserError(f"--baselines {undefined[0]}: is not defined by {benchmark.title}. Leave --protocol out.")
    if not predictions.is_dir():
        raise UserError(f"--predictions {predictions}: no such folder. Give the folder that holds the maps.")
    annotations = benchmark.annotations(data)
    splits = (1,) if isinstance(annotations, PublishedSource) else settings.splits
    found = find_videos(predictions, annotations, splits, settings.databases)
    needs_biases = benchmark.uses_baseline or CENTRE_BIAS in baselines
    biases, fault = _centre_biases(annotations, found.videos) if needs_biases else ({}, "")

    def score(videos: Sequence[PredictedVideo]) -> list[VideoScores]:
        return score_videos(
            annotations,
            videos,
            first_frame=settings.first,
            baselines=biases if benchmark.uses_baseline else None,
            benchmark=benchmark,
            estimators=settings.estimators,
            workers=settings.workers,
            console=console,
        )

    scores = score(found.videos)
    results = aggregate(scores, benchmark.weighs_frames)
    if not results.videos:
        raise UserError(
            f"--predictions {predictions}: no map belongs to a frame from {settings.first} on that has "
            f"annotations in {data}. Name each map by its 1-based frame number, as in pred_sal_000009.jpg."
        )
    warnings = [*warnings_of(scores, found.missing, found.unknown_folders), *_misnumbered_maps(found.videos)]
    if fault:
        missing = ["information gain"] * benchmark.uses_baseline + [CENTRE_BIAS] * (CENTRE_BIAS in baselines)
        warnings.append(f"no {' and no '.join(missing)}: {fault}")
    methods = {}
    for baseline in baselines:
        if baseline in OBSERVER_BASELINES:
            of_observers = ObserverBaseline(
                baseline, settings.first, settings.sigma_pixels, seed=settings.estimators.seed
            )
            of_baseline, without = score_observers_of_videos(
                of_observers, annotations, found.videos, workers=settings.workers
            )
            if without:
                warnings.append(f"{baseline}: {counted(without, 'videos have no observers.csv')}")
        else:
            videos = _baseline_videos(baseline, found.videos, biases)
            of_baseline = score(videos) if videos else []
        if (of := aggregate(of_baseline, benchmark.weighs_frames)).videos:
            methods[baseline] = of
    if console:
        print_warnings(warnings, console)
    return Evaluation(methods | {name: results}, found.videos, annotations, warnings)


def _misnumbered_maps(videos: Sequence[PredictedVideo]) -> list[str]:
    """Returns warnings of maps of a frame 0, and of frames after the end of a film, beyond those of the original."""
    from_zero = [split_name(video) for video in videos if 0 in video.maps]
    late = [split_name(video) for video in videos for number in video.maps if number > video.num_frames + OVERHANG]
    kinds = {
        "videos have a map of frame 0, but numbers start at 1, so their scores may be a frame off": from_zero,
        "maps are of frames after the end of their film and are left out": late,
    }
    return [counted(names, what) for what, names in kinds.items() if names]


def _centre_biases(
    annotations: AnnotationSource, videos: Sequence[PredictedVideo]
) -> tuple[dict[int, np.ndarray], str]:
    """Returns split -> centre bias of the training films of the scored databases, and why there is none."""
    databases = list(dict.fromkeys(video.database for video in videos))
    means: dict[tuple[str, str], np.ndarray | None] = {}
    biases = {}
    try:
        for split in sorted({video.split for video in videos}):
            biases[split] = centre_bias(annotations, annotations.films("train", split, databases), of_films=means)
    except UserError as error:
        return {}, str(error)
    return biases, ""


def _baseline_videos(
    baseline: str, videos: Sequence[PredictedVideo], biases: Mapping[int, np.ndarray]
) -> list[PredictedVideo]:
    """Returns the same videos with the baseline's map in every frame."""
    of_splits = biases if baseline == CENTRE_BIAS else dict.fromkeys((video.split for video in videos), uniform_map())
    return [
        dataclasses.replace(video, maps=same_map(of_splits[video.split], video.num_frames))
        for video in videos
        if video.split in of_splits
    ]
