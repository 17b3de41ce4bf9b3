"""Reads shards: the content of a record, and any frame by random access.

A folder of shards is a tfds dataset in ArrayRecord files, so `tfds.builder_from_directory(folder)` reads it too. Its
only split, `frames`, has one record per frame and one file per film. Pixels are stored as the network takes them, so
reading only copies them. metadata.json holds the films, their lists and the settings.
"""

import dataclasses
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.inputs import windows
from data_pipelines.inputs.resizing import RESIZE_FILTERS
from data_pipelines.runtime import json_files
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.limits import LARGEST_SIZE, MOST_FRAMES, is_name, is_rate
from data_pipelines.shards import native_annotations
from data_pipelines.shards.native_annotations import NativeAnnotation
from data_pipelines.shards.records import FilmFiles, Record, record_errors_name

DATASET_NAME = "saliency_frames"
FORMAT_VERSION = 1  # of metadata.json and the records: shards of another version are refused
METADATA_FILE = "metadata.json"
INFO_FILE = "dataset_info.json"  # tfds writes it into every dataset


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
    """The stored content of one frame. S is the shards' size in pixels.

    Attributes:
      image: uint8 [S, S, 3], RGB.
      density: uint8 [S, S], density map, 0 to 255.
      fixations: uint8 [S, S], fixation map, 0 or 1.
      sound: float32 [N] in [-256, 256), at the film's own rate: the samples from half a frame before this frame to half
        a frame after it. Both ends are included, so neighbouring frames share a sample.
    """

    image: np.ndarray
    density: np.ndarray
    fixations: np.ndarray
    sound: np.ndarray


class Shards:
    """Reads frames of a folder of shards. Can be pickled. Opens a file when it is first read.

    Raises:
      UserError: the folder holds no shards, or shards of another version.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        metadata = _read_metadata(self.folder)
        self.size: int = metadata["size"]
        self.resize_filter: str = metadata["resize_filter"]
        self.films: list[StoredFilm] = [StoredFilm(**film) for film in metadata["films"]]
        self.lists: dict[str, dict[str, list[int]]] = metadata["lists"]
        annotations = self.folder / native_annotations.FOLDER
        self.has_native_annotations = (annotations / INFO_FILE).is_file()
        self._frames = FilmFiles(self.folder, DATASET_NAME, len(self.films))
        self._annotations = FilmFiles(annotations, native_annotations.DATASET_NAME, len(self.films))

    def read(self, film: int, frame: int) -> "StoredFrame":
        """Returns a frame (numbered from 1) of a film (numbered from 0)."""
        self._check(film, frame)
        return StoredFrame(self._frames.read(film, frame), self.size)

    def copy_images(self, film: int, frames: Sequence[int], out: np.ndarray) -> None:
        """Fills an array, uint8 [N, S, S, 3], with the pictures of N frames. Faster than `read`."""
        self._check(film, min(frames))
        self._check(film, max(frames))
        pixels, size = out.data.cast("B"), 3 * self.size**2
        outs = [pixels[begin : begin + size] for begin in range(0, len(pixels), size)]
        self._frames.copy(film, frames, "image", self._frames.places(film, frames, "image"), outs)

    def copy_maps(self, film: int, frame: int, density: np.ndarray, fixations: np.ndarray) -> None:
        """Fills both arrays, uint8 [S, S], with the maps of a frame."""
        self._check(film, frame)
        for key, out in (("density", density), ("fixations", fixations)):
            places = self._frames.places(film, [frame], key)
            compressed = bytearray(places[0][1])
            self._frames.copy(film, [frame], key, places, [memoryview(compressed)])
            out[...] = _decompressed(compressed, self.size, f"{self.folder}, film {film}, frame {frame}")

    def sound(self, film: int, frames: range) -> np.ndarray:
        """Returns the sound of consecutive frames, float32 [S], joined from the parts stored with each frame."""
        self._check(film, frames[0])
        self._check(film, frames[-1])
        stored, places = self.films[film], self._frames.places(film, frames, "sound")
        begins = [
            4 * windows.sound_limits(frame, stored.fps, stored.sound_rate_hz, stored.num_samples)[0] for frame in frames
        ]
        # A frame past the end of the sound has none.
        end = max((begin + size for begin, (_, size) in zip(begins, places, strict=True) if size), default=begins[0])
        excerpt = np.zeros((end - begins[0]) // 4, np.float32)
        if not len(excerpt):
            return excerpt
        samples = excerpt.data.cast("B")
        # Neighbouring frames both hold the sample at their border.
        outs = [
            samples[begin - begins[0] : begin - begins[0] + size]
            for begin, (_, size) in zip(begins, places, strict=True)
        ]
        self._frames.copy(film, frames, "sound", places, outs)
        return excerpt

    def native_annotation(self, film: int, frame: int) -> NativeAnnotation:
        """Returns the maps of a frame at their own size, numbered as in `read`.

        Raises:
          UserError: the shards were made without them.
        """
        self._check(film, frame)
        self.check_native_annotations()
        return NativeAnnotation(self._annotations.read(film, frame))

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
    """A frame as read, with the parts of `FrameRecord`. Each part is decoded when it is asked for."""

    def __init__(self, record: Record, size: int):
        self._record, self._size = record, size

    @property
    def image(self) -> np.ndarray:
        with record_errors_name(self._record.source):
            return np.frombuffer(self._record["image"], np.uint8).reshape(self._size, self._size, 3)

    @property
    def density(self) -> np.ndarray:
        return self._map("density")

    @property
    def fixations(self) -> np.ndarray:
        return self._map("fixations")

    @property
    def sound(self) -> np.ndarray:
        with record_errors_name(self._record.source):
            return np.frombuffer(self._record["sound"], np.float32)

    def _map(self, key: str) -> np.ndarray:
        with record_errors_name(self._record.source):
            return _decompressed(self._record[key], self._size, self._record.source)


def _decompressed(compressed: bytes | bytearray, size: int, source: str) -> np.ndarray:
    """Returns a map [size, size]. `source` names the record in errors."""
    with record_errors_name(source):
        most_bytes = size**2 + 1  # one more than a whole map, so that a longer one fails to be reshaped
        return np.frombuffer(zlib.decompressobj().decompress(compressed, most_bytes), np.uint8).reshape(size, size)


def _read_metadata(folder: Path) -> dict[str, Any]:
    path, advice = folder / METADATA_FILE, "Prepare the shards again."
    if not (folder / INFO_FILE).is_file() or not path.is_file():
        raise UserError(f"{folder}: holds no shards. Make them with python -m data_pipelines.prepare.")
    metadata = json_files.read_object(path, advice)
    if metadata.get("format_version") != FORMAT_VERSION:
        raise UserError(f"{folder}: holds shards of another version. {advice}")
    try:
        _check_metadata(metadata)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}). {advice}") from None
    return metadata


def _check_metadata(metadata: dict[str, Any]) -> None:
    """Raises ValueError, KeyError, TypeError or AttributeError unless the content is what `prepare` writes."""
    if not (type(metadata["size"]) is int and 1 <= metadata["size"] <= LARGEST_SIZE):
        raise ValueError(f"size {metadata['size']!r}")
    if metadata["resize_filter"] not in RESIZE_FILTERS:
        raise ValueError(f"resize_filter {metadata['resize_filter']!r}")
    films = [StoredFilm(**film) for film in metadata["films"]]
    for film in films:
        counts = film.sound_rate_hz, film.num_samples, film.annotation_height, film.annotation_width
        if not (is_name(film.name) and is_name(film.database)):
            raise ValueError(f"a film is called {film.database!r}, {film.name!r}")
        if not all(type(count) is int for count in (film.num_frames, *counts)):
            raise ValueError(f"film {film.name!r} has a count that is not a whole number")
        if not (1 <= film.num_frames <= MOST_FRAMES and is_rate(film.fps) and min(counts) >= 0):
            raise ValueError(f"film {film.name!r} has a number out of range")
    for splits in metadata["lists"].values():
        for listed in splits.values():
            if not all(type(film) is int and 0 <= film < len(films) for film in listed):
                raise ValueError("a list names films that do not exist")
