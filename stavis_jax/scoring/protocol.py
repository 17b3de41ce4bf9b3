"""Frames -> videos: which frames are scored, against which annotations.

As the original's MATLAB scripts do: each metric drops its NaN frames on its own, a video is the mean of its remaining
frames. `aggregation` goes on to databases.
"""

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.processes import in_parallel, workers_for
from data_pipelines.shards.annotations import AnnotationSource
from stavis_jax.metrics.postprocessing import postprocess
from stavis_jax.scoring.aggregation import Results, VideoScores, aggregate
from stavis_jax.scoring.annotations import annotations_of
from stavis_jax.scoring.frame_scores import ALL_METRICS, EXACT, LOWER_IS_BETTER, METRICS, Estimators, score_frame
from stavis_jax.scoring.gaze import Gaze, counts_of, read_gaze, size_of

__all__ = [
    "ALL_METRICS",
    "FIRST_SCORED_FRAME",
    "LOWER_IS_BETTER",
    "METRICS",
    "PredictedVideo",
    "Results",
    "VideoScores",
    "aggregate",
    "score_frame",
    "score_video",
    "score_videos",
]

FIRST_SCORED_FRAME = 9  # the original names window i (from 0) as frame 9 + i, so frames 1 to 8 have no map
ASPECT_TOLERANCE = 0.1
COLOURED = "maps are coloured: only their red channel is scored"
BLACK = "maps are black everywhere: no metric has a value there"
CONSTANT = "maps are constant: CC, NSS, sAUC, SIM and IG have no value there"
STRETCHED = "maps have another aspect ratio than their frame, by more than a tenth, and are stretched"
WITHOUT_GAZE = "frames have an empty density map: SIM counts them as 0, as the original does, the others leave them out"


@dataclasses.dataclass(frozen=True)
class PredictedVideo:
    """Maps of one test video.

    Attributes:
        num_frames: length of the video; maps of later frames are left out.
        maps: 1-based frame number -> uint8 [h, w]. Splits that share one `maps` object are scored once. A mapping may
            have an attribute `coloured`, the numbers of maps read so far that were coloured.
    """

    database: str
    split: int
    video: str
    num_frames: int
    maps: Mapping[int, np.ndarray]


def score_video(
    data: RawLayout | AnnotationSource,
    video: PredictedVideo,
    *,
    first_frame: int = FIRST_SCORED_FRAME,
    gaze: Gaze | None = None,
    fixations_of_others: np.ndarray | None = None,
    baseline: np.ndarray | None = None,
    estimators: Estimators = EXACT,
) -> VideoScores:
    """Scores the frames from `first_frame` to the end of the video that have a map and both annotations.

    Args:
        gaze: the video's fixations, where they are read already.
        fixations_of_others: [H, W], fixations of other videos on the pixels of this one, for sAUC-others.
        baseline: uint8 [h, w], what information gain is measured from.

    Raises:
        UserError: the annotations of the video differ in size.
    """
    annotations = annotations_of(data)
    if gaze is None:
        gaze = read_gaze(annotations, video.database, video.video, video.num_frames)
    other_fixations = gaze.union()
    baseline_map = None if baseline is None or not gaze.pixels else postprocess(baseline, gaze.shape)

    frames, rows = [], []
    doubts: collections.Counter[str] = collections.Counter()
    without_map = without_annotation = 0
    for number in range(first_frame, video.num_frames + 1):
        if number not in video.maps:
            without_map += 1
            continue
        density_map = annotations.density(video.database, video.video, number) if number in gaze.pixels else None
        if density_map is None:
            without_annotation += 1
            continue
        if density_map.shape != gaze.shape:
            raise UserError(
                f"{video.database}/{video.video}, frame {number}: its density map is {size_of(density_map.shape)}, "
                f"the video's fixation maps are {size_of(gaze.shape)}. Bring both to one size."
            )
        prediction = video.maps[number]
        doubts.update(_doubts(prediction, density_map, number in getattr(video.maps, "coloured", ())))
        rows.append(
            score_frame(
                prediction,
                density_map,
                gaze.fixation_map(number),
                other_fixations,
                fixation_counts=fixations_of_others,
                baseline_map=baseline_map,
                generator=estimators.generator(video.database, video.video, number),
            )
        )
        frames.append(number)
    metrics = rows[0] if rows else METRICS
    return VideoScores(
        video.database,
        video.split,
        video.video,
        np.array(frames, int),
        {metric: np.array([row[metric] for row in rows], np.float64) for metric in metrics},
        without_map,
        without_annotation,
        dict(doubts),
    )


def score_videos(
    data: RawLayout | AnnotationSource,
    videos: Sequence[PredictedVideo],
    *,
    first_frame: int = FIRST_SCORED_FRAME,
    baselines: Mapping[int, np.ndarray] | None = None,
    estimators: Estimators = EXACT,
    workers: int | None = None,
    console: Console | None = None,
) -> list[VideoScores]:
    """`score_video` for many, in the order given; each with the fixations of the other videos of its database.

    Args:
        baselines: split -> uint8 [h, w], for information gain; a split without one goes without.
        workers: processes; by default one a core. With 1 no process is started.
        console: where the progress bar goes; none without it.
    """
    annotations = annotations_of(data)
    baselines = baselines or {}
    films = list(dict.fromkeys((video.database, video.video, video.num_frames) for video in videos))
    first_with_maps: dict[tuple, int] = {}
    source = [
        first_with_maps.setdefault((*_film(video), id(video.maps), id(baselines.get(video.split))), index)
        for index, video in enumerate(videos)
    ]
    distinct = sorted(set(source))
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("videos"),
        TimeRemainingColumn(),
        console=console,
        disable=console is None,
    )
    gaze: dict[tuple, Gaze] = {}
    scores: dict[int, VideoScores] = {}

    def jobs() -> Iterator[tuple]:
        for index in distinct:
            video = videos[index]
            yield (
                annotations,
                video,
                first_frame,
                gaze[_film(video)],
                _fixations_of_others(gaze, video),
                baselines.get(video.split),
                estimators,
            )

    with progress, workers_for(len(distinct), workers) as executor:
        task = progress.add_task("reading gaze", total=len(films))
        for index, found in in_parallel(executor, read_gaze, ((annotations, *film) for film in films)):
            gaze[films[index]] = found
            progress.advance(task)
        task = progress.add_task("scoring", total=len(distinct))
        for position, found in in_parallel(executor, _score, jobs()):
            scores[distinct[position]] = found
            progress.advance(task)
    return [dataclasses.replace(scores[source[index]], split=video.split) for index, video in enumerate(videos)]


def _film(video: PredictedVideo) -> tuple[str, str, int]:
    return video.database, video.video, video.num_frames


def _fixations_of_others(gaze: Mapping[tuple, Gaze], video: PredictedVideo) -> np.ndarray | None:
    """None if the database has no other video: the metric is then absent."""
    others = [
        found for (database, name, _), found in gaze.items() if database == video.database and name != video.video
    ]
    return counts_of(others, gaze[_film(video)].shape) if others else None


def _score(annotations, video, first_frame, gaze, fixations_of_others, baseline, estimators) -> VideoScores:
    return score_video(
        annotations,
        video,
        first_frame=first_frame,
        gaze=gaze,
        fixations_of_others=fixations_of_others,
        baseline=baseline,
        estimators=estimators,
    )


def _doubts(prediction: np.ndarray, density_map: np.ndarray, coloured: bool) -> list[str]:
    """What looks wrong with a frame, though it can be scored."""
    (height, width), (density_height, density_width) = prediction.shape, density_map.shape
    aspect = (width / height) / (density_width / density_height)
    square = height == width  # as the network's own: every frame is squeezed into it
    constant = prediction.min() == prediction.max()
    found = {
        COLOURED: coloured,
        BLACK: constant and not prediction.any(),
        CONSTANT: constant and prediction.any(),
        STRETCHED: not square and not 1 - ASPECT_TOLERANCE <= aspect <= 1 / (1 - ASPECT_TOLERANCE),
        WITHOUT_GAZE: not density_map.any(),
    }
    return [what for what, is_so in found.items() if is_so]
