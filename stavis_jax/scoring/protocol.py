"""Scores videos: which frames are scored, against which annotations.

As in the original's MATLAB scripts, each metric drops its own NaN frames and a video is the mean of its remaining
frames. `aggregation` computes the means above that.
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
from data_pipelines.shards.annotations import AnnotationSource, RawAnnotations
from stavis_jax.metrics.postprocessing import postprocess
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.benchmarks import FIRST_SCORED_FRAME, PAPER, Benchmark, FrameToScore
from stavis_jax.scoring.drawn_fixations import DrawnFixations, draw_fixations
from stavis_jax.scoring.frame_scores import EXACT, METRICS, Estimators
from stavis_jax.scoring.published_source import PublishedSource
from stavis_jax.scoring.score_warnings import frame_doubts
from stavis_jax.scoring.video_fixations import VideoFixations, read_video_fixations, size_text, total_counts

__all__ = ["FIRST_SCORED_FRAME", "PredictedVideo", "as_annotations", "columns_of", "score_video", "score_videos"]


@dataclasses.dataclass(frozen=True)
class PredictedVideo:
    """Maps of one test video.

    Attributes:
        num_frames: length of the video. Maps of later frames are left out.
        maps: 1-based frame number -> uint8 [h, w]. Splits that share one `maps` object are scored once. A mapping may
            have an attribute `coloured` with the numbers of the coloured maps read so far.
    """

    database: str
    split: int
    video: str
    num_frames: int
    maps: Mapping[int, np.ndarray]

    @property
    def film(self) -> tuple[str, str, int]:
        """Database, video and number of frames: the same for every split."""
        return self.database, self.video, self.num_frames

    @property
    def is_still(self) -> bool:
        return self.num_frames == 1

    def frames_from(self, first_frame: int, step: int = 1) -> range:
        """Returns the numbers of the frames to score: every `step`-th from `first_frame` on, or a still's only one."""
        return range(1 if self.is_still else first_frame, self.num_frames + 1, step)


def as_annotations(data: RawLayout | AnnotationSource) -> AnnotationSource:
    """Returns the annotations of a raw layout, or `data` itself if it is a source of annotations."""
    return RawAnnotations(data) if isinstance(data, RawLayout) else data


def score_video(
    data: RawLayout | AnnotationSource,
    video: PredictedVideo,
    *,
    first_frame: int = FIRST_SCORED_FRAME,
    fixations: VideoFixations | None = None,
    fixations_of_others: np.ndarray | DrawnFixations | None = None,
    baseline: np.ndarray | None = None,
    estimators: Estimators = EXACT,
    benchmark: Benchmark = PAPER,
) -> VideoScores:
    """Scores the frames from `first_frame` to the end of the video that have a map and both annotations.

    A still, a video of one frame, is scored on it, but has no sAUC: no other frame has fixations.

    Args:
        fixations: the video's fixations, if they are read already.
        fixations_of_others: fixations of other videos on the pixels of this one, [H, W], or those drawn for each frame.
            Needed for sAUC-others, and for the sAUC of benchmarks that draw.
        baseline: the map that information gain is measured from, uint8 [h, w].
        benchmark: whose definitions the scores follow.

    Raises:
        UserError: the annotations of the video differ in size.
    """
    annotations = as_annotations(data)
    if fixations is None:
        fixations = read_fixations_of(annotations, *video.film)
    other_fixations = None if video.is_still else fixations.union()
    baseline_map = None if baseline is None or not fixations.pixels else postprocess(baseline, fixations.shape)

    frames, rows = [], []
    doubts: collections.Counter[str] = collections.Counter()
    without_map = without_annotation = 0
    for number in video.frames_from(first_frame):
        if number not in video.maps:
            without_map += 1
            continue
        density_map = annotations.density(video.database, video.video, number) if number in fixations.pixels else None
        if density_map is None:
            without_annotation += 1
            continue
        if density_map.shape != fixations.shape:
            raise UserError(
                f"{video.database}/{video.video}, frame {number}: its density map is {size_text(density_map.shape)}, "
                f"the video's fixation maps are {size_text(fixations.shape)}. Bring both to one size."
            )
        prediction = video.maps[number]
        doubts.update(frame_doubts(prediction, density_map, number in getattr(video.maps, "coloured", ())))
        others = fixations_of_others
        frame = FrameToScore(
            prediction,
            density_map,
            fixations.points(number),
            fixations.shape,
            other_fixations,
            others.map_of(number) if isinstance(others, DrawnFixations) else others,
            baseline_map,
            estimators.generator(video.database, video.video, number),
        )
        scores = benchmark.score(frame)
        rows.append(scores)
        frames.append(number)
    return VideoScores(
        video.database,
        video.split,
        video.video,
        *columns_of(frames, rows),
        without_map,
        without_annotation,
        dict(doubts),
    )


def read_fixations_of(annotations: AnnotationSource, database: str, video: str, num_frames: int) -> VideoFixations:
    """Reads the fixations of all frames of a video; see `read_video_fixations` and `PublishedSource`."""
    if isinstance(annotations, PublishedSource):
        return annotations.video_fixations(database, video)
    return read_video_fixations(annotations, database, video, num_frames)


def columns_of(frames: Sequence[int], rows: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns `frames` and `values` of VideoScores from the scores of its frames, a row per frame."""
    metrics = rows[0] if rows else METRICS
    values = {metric: np.array([row[metric] for row in rows], np.float64) for metric in metrics}
    return np.array(frames, int), values


def score_videos(
    data: RawLayout | AnnotationSource,
    videos: Sequence[PredictedVideo],
    *,
    first_frame: int = FIRST_SCORED_FRAME,
    baselines: Mapping[int, np.ndarray] | None = None,
    estimators: Estimators = EXACT,
    benchmark: Benchmark = PAPER,
    workers: int | None = None,
    console: Console | None = None,
) -> list[VideoScores]:
    """Scores many videos with `score_video`, each with the fixations of the other videos of its database.

    Returns the scores in the order of `videos`.

    Args:
        baselines: split -> the map that information gain is measured from, uint8 [h, w]. Splits without one get no IG.
        benchmark: whose definitions the scores follow.
        workers: number of processes, one per core by default. With 1, no process is started.
        console: shows a progress bar. Without it there is none.
    """
    annotations = as_annotations(data)
    baselines = baselines or {}
    films = list(dict.fromkeys(video.film for video in videos))
    first_with_maps: dict[tuple, int] = {}
    source = [
        first_with_maps.setdefault((*video.film, id(video.maps), id(baselines.get(video.split))), index)
        for index, video in enumerate(videos)
    ]
    distinct = sorted(set(source))
    fixations: dict[tuple, VideoFixations] = {}
    scores: dict[int, VideoScores] = {}
    totals: dict[tuple, np.ndarray] = {}

    def others_of(video: PredictedVideo) -> np.ndarray | DrawnFixations | None:
        if benchmark.drawn_frames:
            return draw_fixations(fixations, video.film, benchmark.drawn_frames, estimators.seed)
        return _fixations_of_others(fixations, video, totals)

    def score_jobs() -> Iterator[tuple]:
        for index in distinct:
            video = videos[index]
            settings = {
                "first_frame": first_frame,
                "fixations": fixations[video.film],
                "fixations_of_others": others_of(video),
                "baseline": baselines.get(video.split),
                "estimators": estimators,
                "benchmark": benchmark,
            }
            yield annotations, video, settings

    with _progress_bar(console) as progress, workers_for(len(distinct), workers) as executor:
        task = progress.add_task("reading gaze", total=len(films))
        jobs = ((annotations, *film) for film in films)
        for index, found in in_parallel(executor, read_fixations_of, jobs):
            fixations[films[index]] = found
            progress.advance(task)
        task = progress.add_task("scoring", total=len(distinct))
        for position, found in in_parallel(executor, _score, score_jobs()):
            scores[distinct[position]] = found
            progress.advance(task)
    return [dataclasses.replace(scores[source[index]], split=video.split) for index, video in enumerate(videos)]


def _score(annotations: AnnotationSource, video: PredictedVideo, settings: dict) -> VideoScores:
    return score_video(annotations, video, **settings)


def _fixations_of_others(
    fixations: Mapping[tuple, VideoFixations], video: PredictedVideo, totals: dict[tuple, np.ndarray]
) -> np.ndarray | None:
    """Returns None if the database has no other video: sAUC-others is then absent.

    `totals` keeps the sum over all videos of a database for each size of maps: a database may have thousands of stills.
    """
    of_database = {key: found for key, found in fixations.items() if key[0] == video.database}
    own = [found for (_, name, _), found in of_database.items() if name == video.video]
    if len(own) == len(of_database):
        return None
    shape = fixations[video.film].shape
    if (video.database, shape) not in totals:
        totals[video.database, shape] = total_counts(of_database.values(), shape)
    return totals[video.database, shape] - total_counts(own, shape)


def _progress_bar(console: Console | None) -> Progress:
    description = TextColumn("{task.description}", markup=False)
    columns = (description, BarColumn(), MofNCompleteColumn(), TextColumn("videos"), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=console is None)
