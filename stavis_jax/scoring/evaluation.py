"""Maps on disk and recorded gaze -> scores of every test video, of baselines beside them, and what to warn of."""

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from data_pipelines.raw.fold_lists import SPLITS
from data_pipelines.runtime.errors import UserError, one_line
from data_pipelines.shards.annotations import AnnotationSource, open_annotations
from stavis_jax.scoring.baselines import CENTRE_BIAS, UNIFORM, SameMap, centre_bias, uniform_map
from stavis_jax.scoring.frame_scores import EXACT, Estimators
from stavis_jax.scoring.observer_scores import score_observers_of_videos
from stavis_jax.scoring.observers import OBSERVER_BASELINES
from stavis_jax.scoring.predicted_videos import find_videos
from stavis_jax.scoring.protocol import (
    FIRST_SCORED_FRAME,
    PredictedVideo,
    Results,
    VideoScores,
    aggregate,
    score_videos,
)

NAMED_IN_A_WARNING = 3
OVERHANG = 7  # the original names a film's last maps by frames after its end
BASELINES = (CENTRE_BIAS, UNIFORM, *OBSERVER_BASELINES)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Attributes:
    methods: method -> results; the baselines, then the maps.
    videos: the maps that were scored. annotations: the gaze they were scored against.
    warnings: what was left out or looks wrong, a line each.
    """

    methods: dict[str, Results]
    videos: list[PredictedVideo]
    annotations: AnnotationSource
    warnings: list[str]


def evaluate(
    predictions: Path,
    data: Path,
    *,
    splits: Sequence[int] = SPLITS,
    databases: Sequence[str] | None = None,
    first_frame: int = FIRST_SCORED_FRAME,
    estimators: Estimators = EXACT,
    workers: int | None = None,
    console: Console | None = None,
) -> Results:
    """Scores the maps of all test videos of the splits that have maps.

    Args:
        predictions: as in the command. data: a raw folder, or shards.
        databases: folders of the data; by default all that have maps.
        estimators: of the AUCs.
        workers: processes, by default one a core.
        console: for warnings and the progress bar; silent without it.

    Raises:
        UserError: a folder is missing, or no test video has maps.
    """
    return evaluate_with_baselines(
        predictions,
        data,
        "",
        splits=splits,
        databases=databases,
        first_frame=first_frame,
        estimators=estimators,
        workers=workers,
        console=console,
    ).methods[""]


def evaluate_with_baselines(
    predictions: Path,
    data: Path,
    name: str,
    *,
    baselines: Sequence[str] = (),
    splits: Sequence[int] = SPLITS,
    databases: Sequence[str] | None = None,
    first_frame: int = FIRST_SCORED_FRAME,
    estimators: Estimators = EXACT,
    sigma_pixels: float | None = None,
    workers: int | None = None,
    console: Console | None = None,
) -> Evaluation:
    """As `evaluate`: the baselines asked for (of `BASELINES`), then the maps under `name`.

    `sigma_pixels`: of the observers' Gaussian. A baseline that the data do not allow is left out with a warning.
    """
    if not predictions.is_dir():
        raise UserError(f"--predictions {predictions}: there is no such folder. Give the folder that holds the maps.")
    annotations = open_annotations(data)
    found = find_videos(predictions, annotations, splits, databases)
    biases, fault = _centre_biases(annotations, found.videos)
    settings = {
        "first_frame": first_frame,
        "baselines": biases,
        "estimators": estimators,
        "workers": workers,
        "console": console,
    }
    scores = score_videos(annotations, found.videos, **settings)
    results = aggregate(scores)
    if not results.videos:
        raise UserError(
            f"--predictions {predictions}: no map belongs to a frame from {first_frame} on that has annotations in "
            f"{data}. Name each map by its 1-based frame number, as in pred_sal_000009.jpg."
        )
    warnings = warnings_of(scores, found.missing, found.strangers)
    if late := [
        _name(video) for video in found.videos for number in video.maps if number > video.num_frames + OVERHANG
    ]:
        warnings.append(f"{len(late)} maps are of frames after the end of their film and are left out{_named(late)}")
    if fault:
        warnings.append(f"no information gain{' and no center-bias' * (CENTRE_BIAS in baselines)}: {fault}")
    methods = {}
    for baseline in baselines:
        if baseline in OBSERVER_BASELINES:
            of_baseline, without = score_observers_of_videos(
                baseline,
                annotations,
                found.videos,
                first_frame=first_frame,
                sigma_pixels=sigma_pixels,
                seed=estimators.seed,
                workers=workers,
            )
            if without:
                warnings.append(f"{baseline}: {len(without)} videos have no observers.csv{_named(without)}")
        else:
            videos = _baseline_videos(baseline, found.videos, biases)
            of_baseline = score_videos(annotations, videos, **settings) if videos else []
        if (of := aggregate(of_baseline)).videos:
            methods[baseline] = of
    if console:
        print_warnings(warnings, console)
    return Evaluation(methods | {name: results}, found.videos, annotations, warnings)


def warnings_of(scores: Sequence[VideoScores], missing: Sequence[str] = (), strangers: Sequence[str] = ()) -> list[str]:
    """One line for each kind of thing that is left out or looks wrong, with a count and the first names.

    `missing`: test videos without maps; `strangers`: folders of maps that belong to none.
    """
    without_map, without_annotation, empty, undefined = [], [], [], []
    doubts = collections.defaultdict(list)
    for video in scores:
        name = _name(video)
        without_map += [name] * video.frames_without_map
        without_annotation += [name] * video.frames_without_annotation
        for doubt, count in video.doubts.items():
            doubts[doubt] += [name] * count
        without_value = [metric for metric, mean in video.means().items() if math.isnan(mean)]
        if not video.frames.size:
            empty.append(name)
        elif without_value:
            undefined.append(f"{name} {', '.join(without_value)}")
    kinds = {
        "test videos have no maps and are left out": missing,
        "folders belong to no test video and are left out": strangers,
        "videos have no frame to score and are left out": empty,
        "frames have no map and are left out": without_map,
        "frames have no annotation and are left out": without_annotation,
        "videos have a metric without a value, and so has their database": undefined,
        **doubts,
    }
    return [f"{len(names)} {what}{_named(names)}" for what, names in kinds.items() if names]


def print_warnings(warnings: Sequence[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"warning: {one_line(warning)}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _centre_biases(
    annotations: AnnotationSource, videos: Sequence[PredictedVideo]
) -> tuple[dict[int, np.ndarray], str]:
    """Split -> centre bias of its training films, of the databases that are scored; or why there is none."""
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
    """The same videos with the baseline's map in every frame."""
    of_splits = biases if baseline == CENTRE_BIAS else dict.fromkeys((video.split for video in videos), uniform_map())
    return [
        dataclasses.replace(video, maps=SameMap(of_splits[video.split], video.num_frames))
        for video in videos
        if video.split in of_splits
    ]


def _name(video: PredictedVideo | VideoScores) -> str:
    return f"{video.database}/{video.video} (split {video.split})"


def _named(names: Sequence[str]) -> str:
    """ ": a; b; c; ..." """
    distinct = list(dict.fromkeys(names))
    more = "; ..." if len(distinct) > NAMED_IN_A_WARNING else ""
    return f": {'; '.join(distinct[:NAMED_IN_A_WARNING])}{more}"
