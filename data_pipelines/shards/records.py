"""Reads the records of a dataset: ArrayRecord files, one per film, with one tf.train.Example per frame.

The library checks a record against its checksum and makes a copy of it. Training reads the same frames again and again,
so `FilmFiles.copy` does this when a frame is first read. From then on, it copies the values straight from the file.
"""

import contextlib
import functools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python import array_record_module
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format

from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.direct_files import CAN_COPY, DirectFile

SPLIT_NAME = "frames"
DIRECT_KEYS = "image", "density", "fixations", "sound"  # values that training reads

_READER_OPTIONS = "readahead_buffer_size:0"  # for random access: the next records are not needed
_OPEN_FILES = 128
Place = tuple[int, int]  # logical position of a value in its file, or _ELSEWHERE; number of bytes
_COLUMNS = {key: column for column, key in enumerate(DIRECT_KEYS)}
_ELSEWHERE = -1  # place of a value that is not in the file as it is
_NO_SUCH_PLACE = EOFError, OSError, OverflowError

# tf.train.Example as far as the records use it. tensorflow_datasets has it too, but takes seconds to import and is not
# safe to import while other threads import something (it replaces the interpreter's import function meanwhile).
_EXAMPLE = """
    name: "tf_example.proto"  package: "tensorflow"  syntax: "proto3"
    message_type {
      name: "BytesList"
      field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES }
    }
    message_type {
      name: "Feature"
      field { name: "bytes_list" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".tensorflow.BytesList" }
    }
    message_type {
      name: "Features"
      field {
        name: "feature" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE
        type_name: ".tensorflow.Features.FeatureEntry"
      }
      nested_type {
        name: "FeatureEntry"
        field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
        field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".tensorflow.Feature" }
        options { map_entry: true }
      }
    }
    message_type {
      name: "Example"
      field { name: "features" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".tensorflow.Features" }
    }
"""


def film_path(folder: Path, dataset_name: str, film: int, num_films: int) -> Path:
    """Returns the path of a film's file, named as tfds names the shards of a split. Films are numbered from 0."""
    return Path(folder) / f"{dataset_name}-{SPLIT_NAME}.array_record-{film:05d}-of-{num_films:05d}"


class FilmFiles:
    """Reads records of a dataset by random access. Can be pickled. Opens a file when it is first read."""

    def __init__(self, folder: Path, dataset_name: str, num_films: int):
        self.folder = folder
        self._names = dataset_name, num_films
        self._reader = functools.lru_cache(_OPEN_FILES)(self._open)
        self._direct_file = functools.lru_cache(_OPEN_FILES)(lambda film: DirectFile(self._path(film)))
        self._record_ends: dict[int, list[int]] = {}  # by film
        self._found: dict[int, np.ndarray] = {}  # by film: int64 [N, len(DIRECT_KEYS), 2], 0 where not checked yet

    def __reduce__(self):
        return FilmFiles, (self.folder, *self._names)

    def read(self, film: int, frame: int) -> "Record":
        """Returns the record of a frame (from 1) of a film (from 0).

        Raises:
          UserError: the film's file is missing or damaged. Records have checksums.
        """
        try:
            serialized = self._reader(film).read([frame - 1])[0]
        except (RuntimeError, IndexError) as error:
            raise self._damaged(film, frame, error) from None
        return Record(serialized, f"{self.folder}, film {film}, frame {frame}")

    def places(self, film: int, frames: Sequence[int], key: str) -> list[Place]:
        """Returns where one of the DIRECT_KEYS of each frame is. Checks records that were not read before.

        Raises:
          UserError: as `read`.
        """
        found = self._found.get(film)
        if found is None:
            self._record_ends[film] = ends = self._all_record_ends(film)
            self._found[film] = found = np.zeros((len(ends), len(DIRECT_KEYS), 2), np.int64)
        first, last = min(frames), max(frames)
        if last > len(found):
            return [(_ELSEWHERE, len(self.read(film, frame)[key])) for frame in frames]
        places = found[first - 1 : last, _COLUMNS[key]].tolist()
        for frame in frames:
            if not places[frame - first][0]:
                found[frame - 1] = self._places(film, frame)
                places[frame - first] = found[frame - 1, _COLUMNS[key]].tolist()
        return [places[frame - first] for frame in frames]

    def copy(self, film: int, frames: Sequence[int], key: str, places: Sequence[Place], outs: list[memoryview]) -> None:
        """Fills each of `outs`, bytes, with the value of a frame, given where it is.

        Raises:
          UserError: as `read`, or a value has another size.
        """
        copy, frame = self._direct_file(film).copy, 0
        try:
            for frame, (begin, size), out in zip(frames, places, outs, strict=True):
                if size != len(out):
                    raise EOFError(f"{size} bytes of {key}, not {len(out)}")
                if begin == _ELSEWHERE:
                    out[:] = self.read(film, frame)[key]
                else:
                    copy(begin, out)
        except (OSError, EOFError) as error:
            raise self._damaged(film, frame, error) from None

    def _places(self, film: int, frame: int) -> list[Place]:
        record = self.read(film, frame)
        begin, found = self._record_ends[film][frame - 1] - len(record.serialized), bytearray(len(record.serialized))
        with contextlib.suppress(*_NO_SUCH_PLACE):
            self._direct_file(film).copy(begin, memoryview(found))
        values = [record[key] for key in DIRECT_KEYS]
        if found != record.serialized:
            return [(_ELSEWHERE, len(value)) for value in values]
        return [(begin + found.find(value), len(value)) for value in values]  # any place with the same bytes will do

    def _all_record_ends(self, film: int) -> list[int]:
        """Returns the logical ends of a film's records, as far as they can be found."""
        self._reader(film)  # raises if the file is missing or damaged
        ends: list[int] = []
        if CAN_COPY:
            with contextlib.suppress(*_NO_SUCH_PLACE):  # the end of the file
                ends.extend(self._direct_file(film).record_ends())
        return ends

    def _damaged(self, film: int, frame: int, reason: object) -> UserError:
        return UserError(f"{self._path(film)}, frame {frame}: damaged ({reason}). Prepare the shards again.")

    def _open(self, film: int) -> Any:
        path = self._path(film)
        if not path.is_file():
            raise UserError(f"{path}: the file is missing. Prepare the shards again.")
        return array_record_module.ArrayRecordReader(str(path), _READER_OPTIONS)

    def _path(self, film: int) -> Path:
        dataset_name, num_films = self._names
        return film_path(self.folder, dataset_name, film, num_films)


class Record:
    """One record: the bytes of its features.

    Attributes:
      serialized: the whole record.
      source: names the record in errors.
    """

    def __init__(self, serialized: bytes, source: str):
        self.serialized, self.source = serialized, source
        with record_errors_name(source):
            self._features = _example_type().FromString(serialized).features.feature

    def __getitem__(self, key: str) -> bytes:
        return self._features[key].bytes_list.value[0]


@contextlib.contextmanager
def record_errors_name(source: str) -> Iterator[None]:
    """Turns errors about a record's content within the block into a UserError that names `source`."""
    try:
        yield
    except (message.DecodeError, zlib.error, IndexError, ValueError) as error:
        raise UserError(f"{source}: damaged ({error}). Prepare the shards again.") from None


@functools.cache
def _example_type() -> Any:
    pool = descriptor_pool.DescriptorPool()  # in the common pool, tensorflow has the same name
    pool.Add(text_format.Parse(_EXAMPLE, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
