"""Frames -> videos -> splits -> databases: which frames are scored and what is averaged over what.

As the original's MATLAB scripts do: each metric drops its NaN frames on its own, a video is the mean of its remaining
frames, and videos weigh equally whatever their length. A database is the mean over the videos of all splits; one with
the same test list in every split (DIEM) is the mean of its splits' means.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data_pipelines.databases import DATABASES
from data_pipelines.errors import UserError
from data_pipelines.raw_layout import RawLayout, read_density, read_fixations
from stavis_jax.metrics.auc import auc_judd, shuffled_auc
from stavis_jax.metrics.cc import cc
from stavis_jax.metrics.nss import nss
from stavis_jax.metrics.postprocessing import postprocess
from stavis_jax.metrics.sim import sim

METRICS = ("CC", "NSS", "AUC-J", "sAUC", "SIM")  # the order of the paper's tables
FIRST_SCORED_FRAME = 9  # the original names window i (from 0) as frame 9 + i, so frames 1 to 8 have no map


@dataclasses.dataclass(frozen=True)
class PredictedVideo:
    """Maps of one test video.

    Attributes:
        num_frames: length of the video; maps of later frames are left out.
        maps: 1-based frame number -> uint8 [h, w]. Splits that share one `maps` object are scored once.
    """

    database: str
    split: int
    video: str
    num_frames: int
    maps: Mapping[int, np.ndarray]


@dataclasses.dataclass(frozen=True)
class VideoScores:
    """Scores of one test video.

    Attributes:
        frames: int [F], the 1-based numbers of the frames scored.
        values: metric -> float64 [F], NaN where the metric is undefined.
        frames_without_map, frames_without_annotation: how many frames were due and could not be scored.
    """

    database: str
    split: int
    video: str
    frames: np.ndarray
    values: dict[str, np.ndarray]
    frames_without_map: int = 0
    frames_without_annotation: int = 0

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


def score_frame(
    prediction: np.ndarray, density_map: np.ndarray, fixation_map: np.ndarray, other_fixations: np.ndarray
) -> dict[str, float]:
    """Metric -> value of one frame.

    Args:
        prediction: uint8 [h, w].
        density_map: [H, W].
        fixation_map: [H, W], 1 where fixated.
        other_fixations: [H, W], non-zero where any frame of the video was fixated.
    """
    saliency_map = postprocess(prediction, density_map.shape)
    return {
        "CC": cc(saliency_map, density_map),
        "NSS": nss(saliency_map, fixation_map),
        "AUC-J": auc_judd(saliency_map, fixation_map),
        "sAUC": shuffled_auc(saliency_map, fixation_map, other_fixations),
        "SIM": sim(saliency_map, density_map),
    }


def score_video(layout: RawLayout, video: PredictedVideo, *, first_frame: int = FIRST_SCORED_FRAME) -> VideoScores:
    """Scores the frames from `first_frame` to the end of the video that have a map and both annotations.

    Raises:
        UserError: the annotations of the video differ in size.
    """
    # Positions, not pictures: a long video's fixation maps would fill the memory.
    fixated, shape = _fixated_pixels(layout, video)
    other_fixations = np.zeros(shape, np.uint8)
    for pixels in fixated.values():
        other_fixations.flat[pixels] = 1

    frames, rows = [], []
    without_map = without_annotation = 0
    for number in range(first_frame, video.num_frames + 1):
        density_path = layout.density_path(video.database, video.video, number)
        if number not in video.maps:
            without_map += 1
        elif number not in fixated or not density_path.is_file():
            without_annotation += 1
        else:
            density_map = read_density(density_path)
            if density_map.shape != shape:
                raise UserError(
                    f"{density_path}: it is {_size(density_map.shape)}, the video's fixation maps are {_size(shape)}. "
                    "Bring both to one size."
                )
            fixation_map = np.zeros(shape, np.uint8)
            fixation_map.flat[fixated[number]] = 1
            rows.append(score_frame(video.maps[number], density_map, fixation_map, other_fixations))
            frames.append(number)
    return VideoScores(
        video.database,
        video.split,
        video.video,
        np.array(frames, int),
        {metric: np.array([row[metric] for row in rows], np.float64) for metric in METRICS},
        without_map,
        without_annotation,
    )


def score_videos(
    layout: RawLayout,
    videos: Sequence[PredictedVideo],
    *,
    first_frame: int = FIRST_SCORED_FRAME,
    workers: int | None = None,
    console: Console | None = None,
) -> list[VideoScores]:
    """`score_video` for many, in the order given.

    Args:
        workers: processes; by default one a core. With 1 no process is started.
        console: where the progress bar goes; none without it.
    """
    first_with_maps: dict[tuple, int] = {}
    source = [
        first_with_maps.setdefault((video.database, video.video, id(video.maps)), index)
        for index, video in enumerate(videos)
    ]
    distinct = sorted(set(source))
    workers = min(workers or os.cpu_count() or 1, max(len(distinct), 1))
    progress = Progress(
        TextColumn("scoring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("videos"),
        TimeRemainingColumn(),
        console=console,
        disable=console is None,
    )
    scores: dict[int, VideoScores] = {}
    with progress:
        task = progress.add_task("scoring", total=len(distinct))
        if workers == 1:
            for index in distinct:
                scores[index] = score_video(layout, videos[index], first_frame=first_frame)
                progress.advance(task)
        else:
            # Spawned, not forked: the caller may hold JAX's threads.
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as executor:
                futures = {
                    executor.submit(score_video, layout, videos[index], first_frame=first_frame): index
                    for index in distinct
                }
                try:
                    for future in concurrent.futures.as_completed(futures):
                        scores[futures[future]] = future.result()
                        progress.advance(task)
                except BaseException:
                    executor.shutdown(wait=False, cancel_futures=True)
                    raise
    return [dataclasses.replace(scores[source[index]], split=video.split) for index, video in enumerate(videos)]


def aggregate(videos: Iterable[VideoScores]) -> Results:
    """Means over videos, splits and databases. A video of which no frame was scored counts nowhere."""
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


def _fixated_pixels(layout: RawLayout, video: PredictedVideo) -> tuple[dict[int, np.ndarray], tuple[int, int]]:
    """Frame number -> positions of its fixated pixels in the flattened map, and the size of the maps."""
    pixels: dict[int, np.ndarray] = {}
    shape: tuple[int, int] | None = None
    for number in range(1, video.num_frames + 1):
        path = layout.fixation_path(video.database, video.video, number)
        if not path.is_file():
            continue
        fixation_map = read_fixations(path)
        shape = shape or fixation_map.shape
        if fixation_map.shape != shape:
            raise UserError(
                f"{path}: it is {_size(fixation_map.shape)}, earlier fixation maps of the video are {_size(shape)}. "
                "Bring all to one size."
            )
        pixels[number] = np.flatnonzero(fixation_map)
    return pixels, shape or (0, 0)


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {metric: _mean([row[metric] for row in rows]) for metric in METRICS}


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
