"""Writes the records of one film to an ArrayRecord file."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2

from data_pipelines.runtime.errors import system_fault

# Uncompressed: pixels hardly shrink, and unpacking them would take longer than everything else. The maps, which do
# shrink, are compressed one by one and unpacked only for the target frame.
_WRITER_OPTIONS = "group_size:1,uncompressed"


class RecordWriter:
    """Writes the frames of one film, from frame 1 on. `with` closes the file and returns when it is on disk.

    Raises:
      OSError: the file cannot be written.
    """

    def __init__(self, path: Path, features: tfds.features.FeaturesDict, database: str, video: str):
        self.num_bytes = 0
        self._path, self._features, self._frame = path, features, 0
        self._names = {"database": database, "video": video}
        self._writer = array_record_module.ArrayRecordWriter(str(path), _WRITER_OPTIONS)

    def write(self, record: Any) -> None:
        """Writes the next frame. `record` is a dataclass with the names of the features."""
        self._frame += 1
        serialized = self._features.serialize_example(vars(record) | self._names | {"frame": self._frame})
        # Deterministic, so that the same raw data always gives the same file.
        serialized = tf_example_pb2.Example.FromString(serialized).SerializeToString(deterministic=True)
        with self._os_errors():
            self._writer.write(serialized)
        self.num_bytes += len(serialized)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        # After an error in the block, one on closing would only hide it.
        with contextlib.suppress(OSError, RuntimeError) if kind else contextlib.nullcontext(), self._os_errors():
            self._writer.close()
            if kind is None:
                flush_to_disk(self._path)

    @contextlib.contextmanager
    def _os_errors(self) -> Iterator[None]:
        """Turns the library's RuntimeError about the file system into an OSError that names the file."""
        try:
            yield
        except RuntimeError as error:
            number = system_fault(error)
            raise error if number is None else OSError(number, os.strerror(number), str(self._path)) from None


def flush_to_disk(path: Path) -> None:
    """Returns when the content of a file or folder has reached the disk, so that a rename can be the last step."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
