"""Reads the records of a dataset: ArrayRecord files, one per film, with one tf.train.Example per frame."""

import contextlib
import functools
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from array_record.python import array_record_module
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format

from data_pipelines.runtime.errors import UserError

SPLIT_NAME = "frames"

_READER_OPTIONS = "readahead_buffer_size:0"  # for random access: the next records are not needed
_OPEN_FILES = 128

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
            raise UserError(
                f"{self._path(film)}, frame {frame}: damaged ({error}). Prepare the shards again."
            ) from None
        return Record(serialized, f"{self.folder}, film {film}, frame {frame}")

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
      source: names the record in errors.
    """

    def __init__(self, serialized: bytes, source: str):
        self.source = source
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
