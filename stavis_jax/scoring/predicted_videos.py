"""Which test videos a folder of maps holds, which it lacks, and what in it belongs to no test video."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from data_pipelines.raw.fold_lists import SPLITS
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import AnnotationSource
from stavis_jax.maps.map_folders import (
    MapFolder,
    find_database_folder,
    find_video_folder,
    has_split_folders,
    predictions_root,
    short_name,
    subfolders,
)
from stavis_jax.scoring.protocol import PredictedVideo


@dataclasses.dataclass(frozen=True)
class FoundVideos:
    """Attributes name a video or a folder each."""

    videos: list[PredictedVideo]
    missing: list[str]  # test videos without maps
    strangers: list[str]  # folders of maps that belong to no test video of the split


def find_videos(
    predictions: Path, annotations: AnnotationSource, splits: Sequence[int], databases: Sequence[str] | None
) -> FoundVideos:
    """The test videos of the splits and databases (by default those that have maps). Raises UserError if none has."""
    flat = len(annotations.databases()) == 1
    if databases is None:
        databases = [
            database
            for database in annotations.databases()
            if any(find_database_folder(predictions, split, database, flat=flat) for split in splits)
        ]
    found: list[PredictedVideo] = []
    missing: list[str] = []
    maps: dict[Path, MapFolder] = {}  # a folder that serves several splits is scored once
    for database in databases:
        for split in splits:
            for film in annotations.films("test", split, [database]):
                folder = find_video_folder(predictions, split, database, film.name, flat=flat)
                if folder and folder not in maps:
                    maps[folder] = MapFolder(folder)
                if folder and maps[folder]:
                    found.append(PredictedVideo(database, split, film.name, film.num_frames, maps[folder]))
                else:
                    missing.append(f"{database}/{film.name} (split {split})")
    if not found:
        raise UserError(
            f"--predictions {predictions}: holds no map of a test video of {', '.join(databases) or 'the data'}. "
            "Maps belong in split<n>_results/<database>/<video>/, <database>/<video>/, or <video>/ if the data have "
            "one database."
        )
    return FoundVideos(found, missing, _strangers(predictions, annotations, splits, databases, flat))


def _strangers(
    predictions: Path, annotations: AnnotationSource, splits: Sequence[int], databases: Sequence[str], flat: bool
) -> list[str]:
    """Folders of unknown databases, and of videos that are in no test list they could be of."""
    strangers: dict[Path, None] = {}
    names = {short_name(database) for database in annotations.databases()}
    listed: dict[tuple[str, int], set[str]] = {}
    split_folders = has_split_folders(predictions)
    for split in splits:
        root = predictions_root(predictions, split)
        folders = {database: find_database_folder(predictions, split, database, flat=flat) for database in databases}
        if root not in folders.values():
            strangers |= dict.fromkeys(folder for folder in subfolders(root) if short_name(folder.name) not in names)
        for database, folder in folders.items():
            if folder is None:
                continue
            # One set of maps for all splits holds the films of the splits that are not asked for, too.
            known = _test_films(annotations, database, [split] if split_folders else SPLITS, listed)
            strangers |= dict.fromkeys(video for video in subfolders(folder) if video.name not in known)
    return [folder.relative_to(predictions).as_posix() for folder in strangers]


def _test_films(
    annotations: AnnotationSource, database: str, splits: Sequence[int], listed: dict[tuple[str, int], set[str]]
) -> set[str]:
    for split in splits:
        if (database, split) not in listed:
            try:
                films = annotations.films("test", split, [database])
            except UserError:  # a user's own database need not have all lists
                films = []
            listed[database, split] = {film.name for film in films}
    return set().union(*(listed[database, split] for split in splits))
