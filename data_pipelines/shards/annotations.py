"""Recorded gaze at its own size, frame by frame, for scoring. Reads it from raw data or from shards."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.databases import in_reading_order
from data_pipelines.raw.fold_lists import ListedFilm, Subset, read_films
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.native_annotations import NativeAnnotation
from data_pipelines.shards.reader import INFO_FILE, Shards


class AnnotationSource(Protocol):
    """Annotations of a data set. Can be pickled. Frames are numbered from 1."""

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        """Returns the density map, uint8 [H, W], 0 to 255, or None if the frame has none."""

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        """Returns the fixation map, uint8 [H, W], 0 or 1, or None if the frame has none."""

    def databases(self) -> list[str]:
        """Returns the folders of the databases, in reading order."""

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        """Returns the films of one subset of one split, in the order of their lists.

        Raises:
          UserError: there is none.
        """


def open_annotations(data: Path | str) -> AnnotationSource:
    """Opens the annotations of a raw data folder or of shards.

    Raises:
      UserError: the folder is neither, or holds shards without annotations at their own size.
    """
    data = Path(data)
    return ShardAnnotations(Shards(data)) if (data / INFO_FILE).is_file() else RawAnnotations(RawLayout(data))


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
    """The annotations in shards. Raises UserError if the shards were made without."""

    def __init__(self, shards: Shards):
        shards.check_native_annotations()
        self._shards = shards
        self._numbers = {(film.database, film.name): number for number, film in enumerate(shards.films)}

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        annotation = self._annotation(database, video, number)
        return None if annotation is None else annotation.density

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        annotation = self._annotation(database, video, number)
        return None if annotation is None else annotation.fixations

    def databases(self) -> list[str]:
        return in_reading_order(list({film.database for film in self._shards.films}))

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        numbers = self._shards.lists.get(subset, {}).get(str(split), [])
        films = [
            ListedFilm(film.database, film.name, film.num_frames, film.fps)
            for film in map(self._shards.films.__getitem__, numbers)
            if databases is None or film.database in databases
        ]
        if not films:
            where = f" of {', '.join(databases)}" if databases else ""
            raise UserError(
                f"{self._shards.folder}: holds no {subset} films of split {split}{where}. "
                "Choose another split or database."
            )
        return films

    def _annotation(self, database: str, video: str, number: int) -> NativeAnnotation | None:
        film = self._numbers.get((database, video))
        if film is None or not 1 <= number <= self._shards.films[film].num_frames:
            return None
        return self._shards.native_annotation(film, number)
