"""Recorded gaze at its own size, frame by frame, from raw data or from shards: what scoring reads."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from data_pipelines.raw import databases as tables
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.fold_lists import ListedFilm, Subset, read_films
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.native_annotations import NativeAnnotation
from data_pipelines.shards.reader import Shards


class AnnotationSource(Protocol):
    """Annotations of a data set. It can be pickled. Frames are numbered from 1."""

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        """Density of the gaze, uint8 [H, W], 0 to 255; None if there is none of this frame."""

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        """Fixated pixels, uint8 [H, W], 0 or 1; None if there are none of this frame."""

    def databases(self) -> list[str]:
        """Folders of the databases, in reading order."""

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        """The films of one subset of one split, in the order of their lists. Raises UserError if there is none."""


def open_annotations(data: Path | str) -> AnnotationSource:
    """Of a raw data folder or of shards, whichever the folder is.

    Raises UserError if it is neither, or for shards without annotations at their own size.
    """
    data = Path(data)
    if (data / "dataset_info.json").is_file():
        return ShardAnnotations(Shards(data))
    return RawAnnotations(RawLayout(data))


@dataclasses.dataclass(frozen=True)
class RawAnnotations:
    """The annotations of a raw data folder. A damaged file raises UserError."""

    layout: RawLayout

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        path = self.layout.density_path(database, video, number)
        return raw_layout.read_density(path) if path.is_file() else None

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        path = self.layout.fixation_path(database, video, number)
        return raw_layout.read_fixations(path) if path.is_file() else None

    def databases(self) -> list[str]:
        return self.layout.databases()

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        return read_films(self.layout, subset, split, databases)


class ShardAnnotations:
    """The annotations in shards. Raises UserError if they were made without."""

    def __init__(self, shards: Shards):
        shards.check_native_annotations()
        self._shards = shards
        self._numbers = {(film.database, film.name): number for number, film in enumerate(shards.films)}

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        annotation = self._annotation(database, video, number)
        return annotation.density if annotation else None

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        annotation = self._annotation(database, video, number)
        return annotation.fixations if annotation else None

    def databases(self) -> list[str]:
        return tables.in_reading_order(list({film.database for film in self._shards.films}))

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        listed = self._shards.lists.get(subset, {}).get(str(split), [])
        stored = [self._shards.films[number] for number in listed]
        films = [
            ListedFilm(film.database, film.name, film.num_frames, film.fps)
            for film in stored
            if databases is None or film.database in databases
        ]
        if not films:
            raise UserError(
                f"{self._shards.folder}: holds no {subset} films of split {split}"
                f"{' of ' + ', '.join(databases) if databases else ''}. Choose another split or database."
            )
        return films

    def _annotation(self, database: str, video: str, number: int) -> NativeAnnotation | None:
        film = self._numbers.get((database, video))
        if film is None or not 1 <= number <= self._shards.films[film].num_frames:
            return None
        return self._shards.native_annotation(film, number)
