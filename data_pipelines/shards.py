"""What a record holds; any frame by random access.

A folder of shards is a tfds dataset in ArrayRecord files: `tfds.builder_from_directory(folder)` reads it too. Its only
split, `frames`, has one record a frame and one file a film. Everything is stored as the network takes it, so reading
is copying. The films, their lists and the settings are in metadata.json.
"""

import dataclasses
import functools
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.errors import UserError

DATASET_NAME = "saliency_frames"
SPLIT_NAME = "frames"
FORMAT_VERSION = 1  # of metadata.json and the records: shards of another version are refused

# Uncompressed: pixels hardly shrink, and unpacking them would take longer than all else. The maps, which do shrink, are
# compressed one by one and unpacked for the target frame only.
_WRITER_OPTIONS = "group_size:1,uncompressed"
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


def features(size: int):
    """The tfds features of a record."""
    import tensorflow_datasets as tfds

    tensor, encoding = tfds.features.Tensor, tfds.features.Encoding
    return tfds.features.FeaturesDict(
        {
            "image": tensor(shape=(size, size, 3), dtype=np.uint8, encoding=encoding.BYTES),
            "density": tensor(shape=(size, size), dtype=np.uint8, encoding=encoding.ZLIB),
            "fixations": tensor(shape=(size, size), dtype=np.uint8, encoding=encoding.ZLIB),
            "sound": tensor(shape=(None,), dtype=np.float32, encoding=encoding.BYTES),
            "frame": tfds.features.Scalar(dtype=np.int64),
            "video": tfds.features.Text(),
            "database": tfds.features.Text(),
        }
    )


def write_film(path: Path, database: str, video: str, records: Iterable[FrameRecord]) -> int:
    """Writes the frames of a film, from frame 1 on, to one ArrayRecord file. Returns the bytes of its records."""
    from array_record.python import array_record_module

    writer, num_bytes, serialize = array_record_module.ArrayRecordWriter(str(path), _WRITER_OPTIONS), 0, None
    try:
        for number, record in enumerate(records, start=1):
            serialize = serialize or features(len(record.density)).serialize_example
            serialized = serialize(vars(record) | {"frame": number, "video": video, "database": database})
            writer.write(serialized)
            num_bytes += len(serialized)
    finally:
        writer.close()
    return num_bytes


def write_metadata(
    folder: Path,
    *,
    size: int,
    resize_filter: str,
    films: Sequence[StoredFilm],
    num_bytes: int,
    lists: Mapping[str, Mapping[str, Sequence[int]]],
) -> None:
    """Makes a folder of written films a dataset. `lists`: subset -> split -> positions in `films`, in reading order."""
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=DATASET_NAME, split=SPLIT_NAME, filetype_suffix="array_record"
    )
    split = tfds.core.SplitInfo(
        name=SPLIT_NAME,
        shard_lengths=[film.num_frames for film in films],
        num_bytes=num_bytes,
        filename_template=template,
    )
    metadata = {
        "format_version": FORMAT_VERSION,
        "size": size,
        "resize_filter": resize_filter,
        "films": [dataclasses.asdict(film) for film in films],
        "lists": {subset: {split: list(films) for split, films in splits.items()} for subset, splits in lists.items()},
    }
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features(size),
        split_infos=[split],
        filename_template=template,
        check_data=False,
        description="Films with the density and the fixations of people's gaze, frame by frame, and their sound.",
        metadata=tfds.core.MetadataDict(metadata),
    )


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
        from array_record.python import array_record_module

        path = film_path(self.folder, film, len(self.films))
        if not path.is_file():
            raise UserError(f"{path}: the file is missing. Prepare the shards again.")
        return array_record_module.ArrayRecordReader(str(path), _READER_OPTIONS)


class StoredFrame:
    """A record as read; each part is unpacked when asked for."""

    def __init__(self, serialized: bytes, size: int):
        self._features = _example_type().FromString(serialized).features.feature
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


@functools.cache
def _example_type():
    """The record's protocol buffer. tfds can decode records too, at ten times the cost of a clip."""
    from tensorflow_datasets.proto import tf_example_pb2

    return tf_example_pb2.Example


def _read_metadata(folder: Path) -> dict[str, Any]:
    if not (folder / "dataset_info.json").is_file() or not (folder / "metadata.json").is_file():
        raise UserError(f"{folder}: holds no shards. Make them with python -m data_pipelines.prepare.")
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    if metadata.get("format_version") != FORMAT_VERSION:
        raise UserError(f"{folder}: holds shards of another version. Make them again with data_pipelines.prepare.")
    return metadata
