"""Annotations as they were recorded, at their own size: a second dataset within the shards, for scoring alone.

SHARDS/annotations has one record a frame, as the shards have: the density map's file as it was, byte for byte, and the
fixated pixels as positions. Training never opens these files.
"""

import dataclasses
from pathlib import Path

import numpy as np

from data_pipelines.raw import layout
from data_pipelines.runtime.limits import MOST_PIXELS
from data_pipelines.shards import tf_example
from data_pipelines.shards.records import FilmFiles

DATASET_NAME = "native_annotations"
FOLDER = "annotations"


@dataclasses.dataclass(frozen=True)
class AnnotationRecord:
    """What is stored of one frame.

    density: an encoded picture; fixations: int32 [N, 2], (row, column) of each fixated pixel, from 0;
    height, width: of the fixation map, in pixels.
    """

    density: bytes
    fixations: np.ndarray
    height: np.int32
    width: np.int32


def annotation_record(density: bytes, fixations: np.ndarray) -> AnnotationRecord:
    """Of the density map's file and the fixation map [H, W]."""
    height, width = fixations.shape
    return AnnotationRecord(density, np.argwhere(fixations).astype(np.int32), np.int32(height), np.int32(width))


class NativeAnnotations:
    """Reads SHARDS/annotations. It can be pickled."""

    def __init__(self, shards: Path, num_films: int):
        self.folder = shards / FOLDER
        self._files = FilmFiles(self.folder, DATASET_NAME, num_films)
        self._exists = (self.folder / "dataset_info.json").is_file()

    def exists(self) -> bool:
        return self._exists

    def read(self, film: int, frame: int) -> "NativeAnnotation":
        """Frame number `frame` (from 1) of film number `film` (from 0)."""
        return NativeAnnotation(self._files.read(film, frame), f"{self.folder}, film {film}, frame {frame}")


class NativeAnnotation:
    """One frame as read; each map is unpacked when asked for. Their sizes are those of the raw files."""

    def __init__(self, serialized: bytes, source: str):
        self._source = source
        with tf_example.damage_names(source):
            self._features = tf_example.parse(serialized)

    @property
    def density(self) -> np.ndarray:
        """Density of the gaze, uint8 [H, W], 0 to 255."""
        with tf_example.damage_names(self._source):
            encoded = self._bytes("density")
        return layout.decode_density(encoded, self._source)

    @property
    def fixations(self) -> np.ndarray:
        """Fixated pixels, uint8 [H, W], 0 or 1."""
        with tf_example.damage_names(self._source):
            height, width = (int(np.frombuffer(self._bytes(key), np.int32)[0]) for key in ("height", "width"))
            rows, columns = np.frombuffer(self._bytes("fixations"), np.int32).reshape(-1, 2).T
            if not 0 < height * width <= MOST_PIXELS:
                raise ValueError(f"its size is {width}x{height}")
            fixations = np.zeros((height, width), np.uint8)
            fixations[rows, columns] = 1
            return fixations

    def _bytes(self, key: str) -> bytes:
        return self._features[key].bytes_list.value[0]
