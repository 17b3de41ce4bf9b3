"""The annotations of AViMoS, NTIRE 2026 and CrowdSAL as published: films of density maps, and fixations as JSON.

    SaliencyTest/Test/<film>.mp4   FixationsTest/Test/<film>/fixations.json     AViMoS, NTIRE 2026
    Test/Saliency/<film>.mp4       Test/Fixations/<film>.json                   CrowdSAL

Names of folders are recognised by their beginning, Saliency and Fixations. A film within a folder Train, or in the list
"train" of TrainTestSplit.json, is a training film.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.films.film_maps import FilmMaps
from data_pipelines.ingestion.crowd_fixations import FILE_NAME, film_of, read_fixation_file
from data_pipelines.raw.fold_lists import ListedFilm, Subset
from data_pipelines.raw.name_forms import FILM_SUFFIXES
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.folders import is_system_name
from stavis_jax.scoring.video_fixations import VideoFixations, size_text

SPLIT_FILE = "TrainTestSplit.json"
FRAMES_PER_SECOND = 30.0  # of all three; no score depends on it
_log = logging.getLogger(__name__)


class CrowdFilms:
    """Annotations in films and JSON files. Density maps are float32 [H, W] in [0, 255], of 10-bit films.

    Args:
        folder: the folder that holds the folders of saliency and of fixations.
        database: the benchmark's name.

    Raises:
        UserError: no film has both.
    """

    def __init__(self, folder: Path, database: str):
        saliency, fixations = _files(folder)
        self._saliency = {name: saliency[name] for name in sorted(saliency.keys() & fixations.keys())}
        self._fixations, self._database, self._folder = fixations, database, folder
        if not self._saliency:
            raise UserError(
                f"--data {folder}: holds no film with a saliency film (Saliency*/.../<film>.mp4) and fixations "
                f"(Fixations*/.../<film>/{FILE_NAME} or <film>.json). Unpack both archives into one folder and give it."
            )
        lonely = sorted(saliency.keys() ^ fixations.keys())
        if lonely:
            _log.warning(
                "%s: %d films have only a saliency film or only fixations and are left out; first: %s.",
                folder,
                len(lonely),
                lonely[0],
            )
        self._training = _listed_training_films(folder)
        self._open: dict[str, FilmMaps] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        return self._maps(video).get(number)

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        fixations = self.video_fixations(database, video)
        return fixations.fixation_map(number) if number in fixations.pixels else None

    def databases(self) -> list[str]:
        return [self._database]

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        names = [name for name in self._saliency if self._is_training_film(name) == (subset == "train")]
        if not names:
            raise UserError(
                f"--data {self._folder}: holds no {subset} films of {self._database}. Give its whole folder."
            )
        return [
            ListedFilm(self._database, name, len(FilmMaps(self._saliency[name])), FRAMES_PER_SECOND) for name in names
        ]

    def video_fixations(self, database: str, video: str) -> VideoFixations:
        path = self._fixations[video]
        shape = self._maps(video).shape
        pixels = {}
        for number, points in enumerate(read_fixation_file(path), start=1):
            outside = (points < 0) | (points >= shape)
            if outside.any():
                row, column = points[outside.any(axis=1)][0].tolist()
                raise UserError(
                    f"{path}, frame {number}: row {row}, column {column} is outside the saliency film of "
                    f"{size_text(shape)}. Rows come first. Give the two files of one film."
                )
            pixels[number] = (points[:, 0] * shape[1] + points[:, 1]).astype(np.int32)
        return VideoFixations(pixels, shape)

    def from_frame_one(self, database: str, video: str, maps: Mapping[int, np.ndarray]) -> Mapping[int, np.ndarray]:
        return maps

    def _maps(self, video: str) -> FilmMaps:
        """Returns the density maps of a video. One video is kept open."""
        if video not in self._open:
            self._open = {video: FilmMaps(self._saliency[video])}
        return self._open[video]

    def _is_training_film(self, name: str) -> bool:
        if self._training is not None:
            return name in self._training
        inside = self._saliency[name].relative_to(self._folder).parts[:-1]
        return any(part.casefold() == "train" for part in inside)


def _files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Returns name of the film -> its saliency film, and its fixations."""
    saliency: dict[str, Path] = {}
    fixations: dict[str, Path] = {}
    for path in _walk(folder):
        inside = [part.casefold() for part in path.relative_to(folder).parts[:-1]]
        if path.suffix.lower() in FILM_SUFFIXES and any(part.startswith("saliency") for part in inside):
            found, name = saliency, path.stem
        elif path.suffix.lower() == ".json" and any(part.startswith("fixations") for part in inside):
            found, name = fixations, film_of(path)
        else:
            continue
        if name in found:
            raise UserError(f"{path}: is of the same film as {found[name]}. Remove one of them.")
        found[name] = path
    return saliency, fixations


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_system_name(name))
        yield from (Path(root, name) for name in sorted(files) if not is_system_name(name))


def _listed_training_films(folder: Path) -> set[str] | None:
    """Returns the training films of TrainTestSplit.json, without suffix; None if there is no such file."""
    path = folder / SPLIT_FILE
    if not path.is_file():
        return None
    try:
        lists = json.loads(path.read_bytes())
        names = lists["train"]
        return {Path(name).stem if Path(name).suffix.lower() in FILM_SUFFIXES else Path(name).name for name in names}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise UserError(f'{path}: is not a JSON file with a list "train". Fetch it again, or remove it.') from None
