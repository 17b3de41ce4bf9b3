"""Videos -> splits -> databases: what is averaged over what.

As the original's MATLAB scripts do: videos weigh equally whatever their length. A database is the mean over the videos
of all splits; one with the same test list in every split (DIEM) is the mean of its splits' means.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data_pipelines.raw.databases import DATABASES
from stavis_jax.scoring.frame_scores import ALL_METRICS


@dataclasses.dataclass(frozen=True)
class VideoScores:
    """Scores of one test video.

    Attributes:
        frames: int [F], the 1-based numbers of the frames scored.
        values: metric -> float64 [F], NaN where the metric is undefined.
        frames_without_map, frames_without_annotation: how many frames were due and could not be scored.
        doubts: what looks wrong with scored frames -> how many.
    """

    database: str
    split: int
    video: str
    frames: np.ndarray
    values: dict[str, np.ndarray]
    frames_without_map: int = 0
    frames_without_annotation: int = 0
    doubts: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """Metric -> mean over the frames where it is defined; NaN where there is none."""
        return {metric: _mean(values[~np.isnan(values)]) for metric, values in self.values.items()}


@dataclasses.dataclass(frozen=True)
class Results:
    """Scores of one method. A NaN in a video's mean stays visible in every mean above it.

    Attributes:
        overall: metric -> mean over databases.
        databases: database -> metric -> mean.
        splits: database -> split -> metric -> mean over the split's videos.
        videos: what the means are made of; without videos of which no frame was scored.
    """

    overall: dict[str, float]
    databases: dict[str, dict[str, float]]
    splits: dict[str, dict[int, dict[str, float]]]
    videos: list[VideoScores]


def aggregate(videos: Iterable[VideoScores]) -> Results:
    """Means over videos, splits and databases. A video of which no frame was scored counts nowhere.

    A metric that some videos of a database were not scored with is left out of the database.
    """
    videos = [video for video in videos if video.frames.size]
    databases: dict[str, dict[str, float]] = {}
    splits: dict[str, dict[int, dict[str, float]]] = {}
    for database in dict.fromkeys(video.database for video in videos):
        of_database = [video for video in videos if video.database == database]
        splits[database] = {
            split: _mean_of([video.means() for video in of_database if video.split == split])
            for split in sorted({video.split for video in of_database})
        }
        if _same_test_list_in_every_split(database):
            databases[database] = _mean_of(list(splits[database].values()))
        else:
            databases[database] = _mean_of([video.means() for video in of_database])
    return Results(_mean_of(list(databases.values())), databases, splits, videos)


def _same_test_list_in_every_split(database: str) -> bool:
    return database in DATABASES and DATABASES[database].same_test_list_in_every_split


def _mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    shared = [metric for metric in ALL_METRICS if rows and all(metric in row for row in rows)]
    return {metric: _mean([row[metric] for row in rows]) for metric in shared}


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
