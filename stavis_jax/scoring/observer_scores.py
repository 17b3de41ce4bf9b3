"""The observers' baselines over many videos."""

from collections.abc import Sequence

from data_pipelines.runtime.processes import in_parallel, workers_for
from data_pipelines.shards.annotations import AnnotationSource, RawAnnotations
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.observers import read_observers, score_observers
from stavis_jax.scoring.protocol import PredictedVideo


def score_observers_of_videos(
    kind: str,
    annotations: AnnotationSource,
    videos: Sequence[PredictedVideo],
    *,
    first_frame: int,
    sigma_pixels: float | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> tuple[list[VideoScores], list[str]]:
    """Scores of the videos that have an observers.csv, and the names of those that have none.

    Only a raw folder has such files.
    """
    layout = annotations.layout if isinstance(annotations, RawAnnotations) else None
    known = [video for video in videos if layout and layout.observers_path(video.database, video.video).is_file()]
    without = [f"{video.database}/{video.video}" for video in videos if video not in known]
    # Without the maps: they play no part here.
    jobs = (
        (kind, annotations, video.database, video.split, video.video, video.num_frames, first_frame, sigma_pixels, seed)
        for video in known
    )
    with workers_for(len(known), workers) as executor:
        scores = dict(in_parallel(executor, _score, jobs))
    return [scores[index] for index in range(len(known))], list(dict.fromkeys(without))


def _score(kind, annotations, database, split, video, num_frames, first_frame, sigma_pixels, seed) -> VideoScores:
    density_maps = (annotations.density(database, video, number) for number in range(1, num_frames + 1))
    shape = next((found.shape for found in density_maps if found is not None), (1, 1))
    points = read_observers(annotations.layout.observers_path(database, video), shape)
    return score_observers(
        kind,
        database,
        split,
        video,
        num_frames,
        points,
        shape,
        first_frame=first_frame,
        sigma_pixels=sigma_pixels,
        seed=seed,
    )
