"""Averages scores over frames, videos, splits and databases.

Videos count equally, whatever their length, as in the original's MATLAB scripts. A database is the mean over the videos
of all splits. A database with the same test list in every split (DIEM) is the mean of its splits' means.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data_pipelines.raw.databases import DATABASES
from stavis_jax.scoring.bootstrap import FilmScores, Intervals, bootstrap_intervals
from stavis_jax.scoring.frame_scores import mean_scores, shared_metrics


@dataclasses.dataclass(frozen=True)
class VideoScores:
    """Scores of one test video.

    Attributes:
        frames: 1-based numbers of the scored frames, int [F].
        values: metric -> float64 [F], NaN where the metric is undefined.
        frames_without_map, frames_without_annotation: number of frames that could not be scored.
        doubts: problem of scored frames -> number of frames that have it.
    """

    database: str
    split: int
    video: str
    frames: np.ndarray
    values: dict[str, np.ndarray]
    frames_without_map: int = 0
    frames_without_annotation: int = 0
    doubts: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int, str]:
        """Database, split and video."""
        return self.database, self.split, self.video

    def means(self) -> dict[str, float]:
        """Returns metric -> mean over the frames where it is defined, NaN if it is defined in none."""
        defined = {metric: values[~np.isnan(values)] for metric, values in self.values.items()}
        return {metric: float(values.mean()) if values.size else float("nan") for metric, values in defined.items()}

    def counts(self) -> dict[str, int]:
        """Returns metric -> number of frames where it is defined."""
        return {metric: int(np.count_nonzero(~np.isnan(values))) for metric, values in self.values.items()}


@dataclasses.dataclass(frozen=True)
class Results:
    """Scores of one method. A NaN in the mean of a video stays in every mean above it.

    Attributes:
        overall: metric -> mean over databases.
        databases: database -> metric -> mean.
        splits: database -> split -> metric -> mean over the videos of the split.
        videos: the scored videos. Videos without a scored frame are left out.
        weighs_frames: whether means are over all frames, instead of over videos.
    """

    overall: dict[str, float]
    databases: dict[str, dict[str, float]]
    splits: dict[str, dict[int, dict[str, float]]]
    videos: list[VideoScores]
    weighs_frames: bool = False

    @functools.cached_property
    def films(self) -> FilmScores:
        """Scores of each film."""
        return film_scores(self.videos)

    @functools.cached_property
    def intervals(self) -> Intervals:
        """95% intervals of the means, from resampled films. Computed once."""
        return bootstrap_intervals(self.films, frame_counts(self.videos) if self.weighs_frames else None)


def aggregate(videos: Iterable[VideoScores], weighs_frames: bool = False) -> Results:
    """Returns the means over videos, splits and databases. Leaves out videos without a scored frame.

    A database lacks the metrics that some of its videos lack. With `weighs_frames`, means are over all frames of the
    videos where a metric is defined, so that a long video counts more.
    """
    mean = _mean_over_frames if weighs_frames else _mean_over_videos
    videos = [video for video in videos if video.frames.size]
    databases: dict[str, dict[str, float]] = {}
    splits: dict[str, dict[int, dict[str, float]]] = {}
    for database in dict.fromkeys(video.database for video in videos):
        of_database = [video for video in videos if video.database == database]
        splits[database] = {
            split: mean([video for video in of_database if video.split == split])
            for split in sorted({video.split for video in of_database})
        }
        if database in DATABASES and DATABASES[database].same_test_list_in_every_split:
            databases[database] = mean_scores(splits[database].values())
        else:
            databases[database] = mean(of_database)
    return Results(mean_scores(databases.values()), databases, splits, videos, weighs_frames)


def _mean_over_videos(videos: Sequence[VideoScores]) -> dict[str, float]:
    return mean_scores(video.means() for video in videos)


def _mean_over_frames(videos: Sequence[VideoScores]) -> dict[str, float]:
    frames = {
        metric: np.concatenate([video.values[metric] for video in videos])
        for metric in shared_metrics(video.values for video in videos)
    }
    whole = VideoScores("", 0, "", np.zeros(0, int), frames)
    return whole.means()


def frame_counts(videos: Iterable[VideoScores]) -> dict[tuple[str, str], dict[str, int]]:
    """Returns film -> metric -> number of frames where it is defined, over all splits."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for video in videos:
        of_film = counts.setdefault((video.database, video.video), {})
        for metric, count in video.counts().items():
            of_film[metric] = of_film.get(metric, 0) + count
    return counts


def film_scores(videos: Iterable[VideoScores]) -> FilmScores:
    """Returns one row per film. A film that is tested in several splits is one film with the mean of its scores."""
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    for video in videos:
        rows.setdefault((video.database, video.video), []).append(video.means())
    return {film: mean_scores(of_film) for film, of_film in rows.items()}
