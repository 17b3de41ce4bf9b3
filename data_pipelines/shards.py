"""What a record holds; any frame by random access.

A folder of shards is a tfds dataset in ArrayRecord files: `tfds.builder_from_directory(folder)` reads it too. Its only
split, `frames`, has one record a frame and one file a film. Everything is stored as the network takes it, so reading
is copying. The films, their lists and the settings are in metadata.json.
"""

import dataclasses
import functools
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python import array_record_module

from data_pipelines import tf_example
from data_pipelines.errors import UserError

DATASET_NAME = "saliency_frames"
SPLIT_NAME = "frames"
FORMAT_VERSION = 1  # of metadata.json and the records: shards of another version are refused

_READER_OPTIONS = "readahead_buffer_size:0"  # random access: what lies behind a record is not wanted
_OPEN_FILES = 128


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


def film_path(folder: Path, film: int, num_films: int) -> Path:
    """The file of film number `film` (from 0), named as tfds names the shards of a split."""
    return Path(folder) / f"{DATASET_NAME}-{SPLIT_NAME}.array_record-{film:05d}-of-{num_films:05d}"


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
        self._reader = functools.lru_cache(_OPEN_FILES)(self._open)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_reader"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reader = functools.lru_cache(_OPEN_FILES)(self._open)

    def read(self, film: int, frame: int) -> "StoredFrame":
        """Frame number `frame` (from 1) of film number `film` (from 0)."""
        if not 1 <= frame <= self.films[film].num_frames:
            raise IndexError(f"film {self.films[film].name} has no frame {frame}")
        return StoredFrame(self._reader(film).read([frame - 1])[0], self.size)

    def _open(self, film: int):
        path = film_path(self.folder, film, len(self.films))
        if not path.is_file():
            raise UserError(f"{path}: the file is missing. Prepare the shards again.")
        return array_record_module.ArrayRecordReader(str(path), _READER_OPTIONS)


class StoredFrame:
    """A record as read; each part is unpacked when asked for."""

    def __init__(self, serialized: bytes, size: int):
        self._features = tf_example.parse(serialized)
        self._size = size

    @property
    def image(self) -> np.ndarray:
        return np.frombuffer(self._bytes("image"), np.uint8).reshape(self._size, self._size, 3)

    @property
    def density(self) -> np.ndarray:
        return self._map("density")

    @property
    def fixations(self) -> np.ndarray:
        return self._map("fixations")

    @property
    def sound(self) -> np.ndarray:
        return np.frombuffer(self._bytes("sound"), np.float32)

    def _bytes(self, key: str) -> bytes:
        return self._features[key].bytes_list.value[0]

    def _map(self, key: str) -> np.ndarray:
        return np.frombuffer(zlib.decompress(self._bytes(key)), np.uint8).reshape(self._size, self._size)


def _read_metadata(folder: Path) -> dict[str, Any]:
    if not (folder / "dataset_info.json").is_file() or not (folder / "metadata.json").is_file():
        raise UserError(f"{folder}: holds no shards. Make them with python -m data_pipelines.prepare.")
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    if metadata.get("format_version") != FORMAT_VERSION:
        raise UserError(f"{folder}: holds shards of another version. Make them again with data_pipelines.prepare.")
    return metadata
