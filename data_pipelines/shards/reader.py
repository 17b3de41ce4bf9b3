"""What a record holds; any frame by random access.

A folder of shards is a tfds dataset in ArrayRecord files: `tfds.builder_from_directory(folder)` reads it too. Its only
split, `frames`, has one record a frame and one file a film. Everything is stored as the network takes it, so reading
is copying. The films, their lists and the settings are in metadata.json.
"""

import dataclasses
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.inputs.resizing import RESIZE_FILTERS
from data_pipelines.runtime import json_files
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import LARGEST_SIZE, MOST_FRAMES, is_name, is_rate
from data_pipelines.shards import tf_example
from data_pipelines.shards.native_annotations import NativeAnnotation, NativeAnnotations
from data_pipelines.shards.records import FilmFiles

DATASET_NAME = "saliency_frames"
FORMAT_VERSION = 1  # of metadata.json and the records: shards of another version are refused


@dataclasses.dataclass(frozen=True)
class StoredFilm:
    """One film of the shards. A silent film has `sound_rate_hz` 0 and no samples."""

    database: str
    name: str
    num_frames: int
    fps: float
    sound_rate_hz: int
    num_samples: int
    annotation_height: int
    annotation_width: int


@dataclasses.dataclass(frozen=True)
class FrameRecord:
    """One frame: image uint8 [S, S, 3]; density uint8 [S, S]; fixations uint8 [S, S] of 0 and 1.

    sound: float32 [N] in [-256, 256), at the film's own rate: the samples from half a frame before this frame to half
    a frame after it, both ends included, so that neighbours share a sample.
    """

    image: np.ndarray
    density: np.ndarray
    fixations: np.ndarray
    sound: np.ndarray


class Shards:
    """Reads frames of a folder of shards. It can be pickled; files are opened when first read.

    Raises UserError if the folder holds no shards, or shards of another version.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        metadata = _read_metadata(self.folder)
        self.size: int = metadata["size"]
        self.resize_filter: str = metadata["resize_filter"]
        self.films: list[StoredFilm] = [StoredFilm(**film) for film in metadata["films"]]
        self.lists: dict[str, dict[str, list[int]]] = metadata["lists"]
        self._frames = FilmFiles(self.folder, DATASET_NAME, len(self.films))
        self._annotations = NativeAnnotations(self.folder, len(self.films))

    def read(self, film: int, frame: int) -> "StoredFrame":
        """Frame number `frame` (from 1) of film number `film` (from 0)."""
        self._check(film, frame)
        return StoredFrame(self._frames.read(film, frame), self.size, f"{self.folder}, film {film}, frame {frame}")

    def native_annotation(self, film: int, frame: int) -> NativeAnnotation:
        """The maps of a frame as they were recorded, numbered as in `read`.

        Raises UserError if the shards were made without them.
        """
        self._check(film, frame)
        self.check_native_annotations()
        return self._annotations.read(film, frame)

    @property
    def has_native_annotations(self) -> bool:
        """Whether the shards hold annotations at their own size, for scoring."""
        return self._annotations.exists()

    def check_native_annotations(self) -> None:
        """Raises UserError if the shards were made without annotations at their own size."""
        if not self.has_native_annotations:
            raise UserError(
                f"{self.folder}: holds no annotations at their own size. Prepare it again without --no-annotations, "
                "or give the raw data."
            )

    def _check(self, film: int, frame: int) -> None:
        if not 1 <= frame <= self.films[film].num_frames:
            raise IndexError(f"film {self.films[film].name} has no frame {frame}")


class StoredFrame:
    """A record as read; each part is unpacked when asked for."""

    def __init__(self, serialized: bytes, size: int, source: str):
        self._size, self._source = size, source
        with tf_example.damage_names(source):
            self._features = tf_example.parse(serialized)

    @property
    def image(self) -> np.ndarray:
        with tf_example.damage_names(self._source):
            return np.frombuffer(self._bytes("image"), np.uint8).reshape(self._size, self._size, 3)

    @property
    def density(self) -> np.ndarray:
        return self._map("density")

    @property
    def fixations(self) -> np.ndarray:
        return self._map("fixations")

    @property
    def sound(self) -> np.ndarray:
        with tf_example.damage_names(self._source):
            return np.frombuffer(self._bytes("sound"), np.float32)

    def _bytes(self, key: str) -> bytes:
        return self._features[key].bytes_list.value[0]

    def _map(self, key: str) -> np.ndarray:
        with tf_example.damage_names(self._source):
            pixels = zlib.decompressobj().decompress(self._bytes(key), self._size**2 + 1)  # no more than is right
            return np.frombuffer(pixels, np.uint8).reshape(self._size, self._size)


def _read_metadata(folder: Path) -> dict[str, Any]:
    if not (folder / "dataset_info.json").is_file() or not (folder / "metadata.json").is_file():
        raise UserError(f"{folder}: holds no shards. Make them with python -m data_pipelines.prepare.")
    metadata = json_files.read_object(folder / "metadata.json", "Prepare the shards again.")
    if metadata.get("format_version") != FORMAT_VERSION:
        raise UserError(f"{folder}: holds shards of another version. Make them again with data_pipelines.prepare.")
    try:
        _check_metadata(metadata)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{folder / 'metadata.json'}: damaged ({error}). Prepare the shards again.") from None
    return metadata


def _check_metadata(metadata: dict[str, Any]) -> None:
    """Raises ValueError, KeyError, TypeError or AttributeError if they are not what `prepare` writes."""
    if not (type(metadata["size"]) is int and 1 <= metadata["size"] <= LARGEST_SIZE):
        raise ValueError(f"size {metadata['size']!r}")
    if metadata["resize_filter"] not in RESIZE_FILTERS:
        raise ValueError(f"resize_filter {metadata['resize_filter']!r}")
    films = [StoredFilm(**film) for film in metadata["films"]]
    for film in films:
        counts = film.sound_rate_hz, film.num_samples, film.annotation_height, film.annotation_width
        if not all(type(count) is int for count in (film.num_frames, *counts)):
            raise ValueError(f"film {film.name!r} has no whole numbers")
        if not (is_name(film.name) and is_name(film.database)):
            raise ValueError(f"a film is called {film.database!r}, {film.name!r}")
        if not (1 <= film.num_frames <= MOST_FRAMES and is_rate(film.fps) and min(counts) >= 0):
            raise ValueError(f"film {film.name!r} has other numbers than a film")
    for splits in metadata["lists"].values():
        for listed in splits.values():
            if not all(type(film) is int and 0 <= film < len(films) for film in listed):
                raise ValueError("a list names films that are not there")
