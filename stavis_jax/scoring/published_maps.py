"""The folders of maps that DHF1K, Hollywood-2 and UCF-Sports publish, as a source of annotations.

    <film>/maps/0001.png               density maps
    <film>/fixation/0001.png           fixation maps, or
    <film>/fixation/maps/0001.mat      the same as matrices

The last number in a file's name is the frame's. A film may be one shot of a longer film, whose numbers do not start at
1 (Hollywood-2): its first map is frame 1.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.given_maps import GivenMaps, find_map_folders, read_given_fixations
from data_pipelines.raw.fold_lists import ListedFilm, Subset
from data_pipelines.raw.layout import read_density
from data_pipelines.runtime.errors import UserError
from stavis_jax.scoring.video_fixations import VideoFixations, size_text

DHF1K_TRAINING_FILMS = 600  # 001 to 600; 601 to 700 are for validation, and the gaze on 701 to 1000 is not published
FRAMES_PER_SECOND = 30.0  # of DHF1K; no score depends on it


class PublishedMaps:
    """Annotations in folders of maps. A damaged file raises UserError.

    Args:
        folder: the folder of the films' folders, or one above it.
        database: the benchmark's name.

    Raises:
        UserError: the folder holds no maps.
    """

    def __init__(self, folder: Path, database: str):
        found, _ = find_map_folders([folder])
        self._films = {name: given for name, given in sorted(found.items()) if given.density}
        self._database, self._folder = database, folder
        if not self._films:
            raise UserError(
                f"--data {folder}: holds no folders <film>/maps with <film>/fixation. Give the folder of {database}'s "
                "annotations, or raw data."
            )

    def density(self, database: str, video: str, number: int) -> np.ndarray | None:
        path = self._films[video].density.get(number + self._offset(video))
        return None if path is None else read_density(path)

    def fixations(self, database: str, video: str, number: int) -> np.ndarray | None:
        path = self._films[video].fixations.get(number + self._offset(video))
        return None if path is None else read_given_fixations(path)

    def databases(self) -> list[str]:
        return [self._database]

    def films(self, subset: Subset, split: int, databases: Sequence[str] | None = None) -> list[ListedFilm]:
        """Returns the films of DHF1K's training and validation set; of the others, all films are test films."""
        films = [
            ListedFilm(self._database, name, max(_numbers(given)) - self._offset(name), FRAMES_PER_SECOND)
            for name, given in self._films.items()
            if self._is_training_film(name) == (subset == "train")
        ]
        if not films:
            raise UserError(
                f"--data {self._folder}: holds no {subset} films of {self._database}. Give its whole folder."
            )
        return films

    def video_fixations(self, database: str, video: str) -> VideoFixations:
        given, offset = self._films[video], self._offset(video)
        pixels: dict[int, np.ndarray] = {}
        shape: tuple[int, int] | None = None
        for number, path in sorted(given.fixations.items()):
            fixation_map = read_given_fixations(path)
            shape = shape or fixation_map.shape
            if fixation_map.shape != shape:
                raise UserError(
                    f"{path}: is {size_text(fixation_map.shape)}, earlier fixation maps of the film are "
                    f"{size_text(shape)}. Bring all to one size."
                )
            pixels[number - offset] = np.flatnonzero(fixation_map).astype(np.int32)
        return VideoFixations(pixels, shape or (0, 0))

    def from_frame_one(self, database: str, video: str, maps: Mapping[int, np.ndarray]) -> Mapping[int, np.ndarray]:
        """Returns the maps as they are, or, if all their numbers are within the benchmark's own, counted from 1."""
        offset = self._offset(video)
        own = range(1 + offset, max(_numbers(self._films[video])) + 1)
        if offset and maps and all(number in own for number in maps):
            return _Renumbered(maps, offset)
        return maps

    def _offset(self, video: str) -> int:
        """Returns the offset of the numbers in file names: that of frame 1, minus 1."""
        return min(_numbers(self._films[video])) - 1

    def _is_training_film(self, name: str) -> bool:
        return self._database == "DHF1K" and name.isdecimal() and int(name) <= DHF1K_TRAINING_FILMS


class _Renumbered(Mapping[int, np.ndarray]):
    """Maps with numbers lower by `offset`."""

    def __init__(self, maps: Mapping[int, np.ndarray], offset: int):
        self._maps, self._offset = maps, offset

    @property
    def coloured(self) -> set[int]:
        return {number - self._offset for number in getattr(self._maps, "coloured", ())}

    def __getitem__(self, number: int) -> np.ndarray:
        return self._maps[number + self._offset]

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number + self._offset in self._maps

    def __iter__(self):
        return (number - self._offset for number in self._maps)

    def __len__(self) -> int:
        return len(self._maps)


def _numbers(given: GivenMaps) -> set[int]:
    return given.density.keys() | given.fixations.keys()
