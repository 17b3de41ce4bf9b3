"""Finds the test videos that a folder of maps holds or lacks, and folders that belong to no test video."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.films.film_maps import FilmMaps
from data_pipelines.raw.fold_lists import SPLITS, ListedFilm
from data_pipelines.raw.name_forms import FILM_SUFFIXES, Names
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import subfolders
from data_pipelines.shards.annotations import AnnotationSource
from stavis_jax.maps.map_folders import (
    MapFolder,
    find_database_folder,
    find_map_film,
    find_still_map,
    find_video_folder,
    has_split_folders,
    predictions_root,
    short_name,
)
from stavis_jax.scoring.protocol import PredictedVideo
from stavis_jax.scoring.published_source import PublishedSource


@dataclasses.dataclass(frozen=True)
class FoundVideos:
    """The content of a folder of maps.

    Attributes:
        missing: names of test videos without maps.
        unknown_folders: folders of maps that belong to no test video of the split, relative to the folder of maps.
    """

    videos: list[PredictedVideo]
    missing: list[str]
    unknown_folders: list[str]


def find_videos(
    predictions: Path, annotations: AnnotationSource, splits: Sequence[int], databases: Sequence[str] | None
) -> FoundVideos:
    """Finds the test videos of the splits and databases; by default the databases that have maps.

    Raises UserError if no test video has maps.
    """
    flat = len(databases or annotations.databases()) == 1
    if databases is None:
        databases = [
            database
            for database in annotations.databases()
            if any(find_database_folder(predictions, split, database, flat=flat) for split in splits)
        ]
    found: list[PredictedVideo] = []
    missing: list[str] = []
    maps: dict[Path, Mapping[int, np.ndarray]] = {}  # a folder that serves several splits is scored once
    for database in databases:
        for split in splits:
            for film in annotations.films("test", split, [database]):
                place = predictions, split, database, film.name
                folder = find_video_folder(*place, flat=flat)
                if folder is None and film.num_frames == 1:
                    folder = find_still_map(*place, flat=flat)
                folder = folder or find_map_film(*place, flat=flat)
                if folder and folder not in maps:
                    maps[folder] = _open_maps(annotations, film, folder)
                if folder and maps[folder]:
                    found.append(PredictedVideo(database, split, film.name, film.num_frames, maps[folder]))
                else:
                    missing.append(f"{database}/{film.name} (split {split})")
    if not found:
        raise UserError(
            f"--predictions {predictions}: holds no map of a test video of {', '.join(databases) or 'the data'}. "
            "Put maps into split<n>_results/<database>/<video>/ or <database>/<video>/. For a single database, "
            "<video>/ will do; --databases chooses one. A film <video>.mp4 may take the place of a folder."
        )
    return FoundVideos(found, missing, _unknown_folders(predictions, annotations, splits, databases, flat))


def _open_maps(annotations: AnnotationSource, film: ListedFilm, path: Path) -> Mapping[int, np.ndarray]:
    """Returns the maps of a video by frame number from 1. `path`: their folder, the map of a still, or their film."""
    maps = FilmMaps(path) if path.suffix.lower() in FILM_SUFFIXES and path.is_file() else MapFolder(path)
    if isinstance(annotations, PublishedSource):
        return annotations.from_frame_one(film.database, film.name, maps)
    return maps


def _unknown_folders(
    predictions: Path, annotations: AnnotationSource, splits: Sequence[int], databases: Sequence[str], flat: bool
) -> list[str]:
    """Returns folders of unknown databases, and of videos that are in none of the test lists that apply to them."""
    unknown: dict[Path, None] = {}
    names = {short_name(database) for database in annotations.databases()}
    split_folders = has_split_folders(predictions)

    @functools.cache
    def test_films(database: str, split: int) -> set[str]:
        try:
            return {film.name for film in annotations.films("test", split, [database])}
        except UserError:  # a user's own database may lack some lists
            return set()

    for split in splits:
        root = predictions_root(predictions, split)
        folders = {database: find_database_folder(predictions, split, database, flat=flat) for database in databases}
        if root not in folders.values():
            unknown |= dict.fromkeys(folder for folder in subfolders(root) if short_name(folder.name) not in names)
        for database, folder in folders.items():
            if folder is None:
                continue
            # One set of maps for all splits also holds the films of splits that are not scored.
            known = Names(set().union(*(test_films(database, one) for one in ([split] if split_folders else SPLITS))))
            unknown |= dict.fromkeys(video for video in subfolders(folder) if known.find(video.name) is None)
    return [folder.relative_to(predictions).as_posix() for folder in unknown]
