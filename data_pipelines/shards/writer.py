"""Writes shards: records of films, then what makes their folder a tfds dataset. `shards` and `native_annotations` say
what is in them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2

from data_pipelines.runtime.errors import system_fault
from data_pipelines.shards.records import SPLIT_NAME

# Uncompressed: pixels hardly shrink, and unpacking them would take longer than all else. The maps, which do shrink, are
# compressed one by one and unpacked for the target frame only.
_WRITER_OPTIONS = "group_size:1,uncompressed"


def frame_features(size: int) -> tfds.features.FeaturesDict:
    """The tfds features of `shards.FrameRecord`."""
    tensor, encoding = tfds.features.Tensor, tfds.features.Encoding
    return tfds.features.FeaturesDict(
        {
            "image": tensor(shape=(size, size, 3), dtype=np.uint8, encoding=encoding.BYTES),
            "density": tensor(shape=(size, size), dtype=np.uint8, encoding=encoding.ZLIB),
            "fixations": tensor(shape=(size, size), dtype=np.uint8, encoding=encoding.ZLIB),
            "sound": tensor(shape=(None,), dtype=np.float32, encoding=encoding.BYTES),
        }
        | _place_features()
    )


def annotation_features() -> tfds.features.FeaturesDict:
    """The tfds features of `native_annotations.AnnotationRecord`."""
    tensor, encoding = tfds.features.Tensor, tfds.features.Encoding
    return tfds.features.FeaturesDict(
        {
            "density": tfds.features.Text(),  # tfds' name for bytes as they are
            "fixations": tensor(shape=(None, 2), dtype=np.int32, encoding=encoding.BYTES),
            "height": tensor(shape=(), dtype=np.int32, encoding=encoding.BYTES),
            "width": tensor(shape=(), dtype=np.int32, encoding=encoding.BYTES),
        }
        | _place_features()
    )


def _place_features() -> dict[str, Any]:
    text = tfds.features.Text
    return {"frame": tfds.features.Scalar(dtype=np.int64), "video": text(), "database": text()}


class RecordWriter:
    """Writes the frames of one film, from frame 1 on, to one ArrayRecord file; closed by `with`, and then on disk.

    Raises OSError if the file cannot be written.
    """

    def __init__(self, path: Path, features: tfds.features.FeaturesDict, database: str, video: str):
        self.num_bytes = 0
        self._path, self._features, self._frame = path, features, 0
        self._names = {"database": database, "video": video}
        self._writer = array_record_module.ArrayRecordWriter(str(path), _WRITER_OPTIONS)

    def write(self, record: Any) -> None:
        """`record`: a dataclass with the features' names."""
        self._frame += 1
        serialized = self._features.serialize_example(vars(record) | self._names | {"frame": self._frame})
        # In one order, so that the same raw data always gives the same file.
        serialized = tf_example_pb2.Example.FromString(serialized).SerializeToString(deterministic=True)
        try:
            self._writer.write(serialized)
        except RuntimeError as error:
            raise _as_os_error(error, self._path) from None
        self.num_bytes += len(serialized)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            self._writer.close()
        except RuntimeError as error:
            if kind is None:  # else the first fault is on its way
                raise _as_os_error(error, self._path) from None
        if kind is None:
            flush_to_disk(self._path)


def flush_to_disk(path: Path) -> None:
    """Returns when a file's or folder's content has reached the disk, so that a rename after it is the last step."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_metadata(
    folder: Path,
    *,
    dataset_name: str,
    features: tfds.features.FeaturesDict,
    num_frames: Sequence[int],
    num_bytes: int,
    description: str,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Makes a folder of films' files a dataset. `num_frames`: of each film, in the order of the files."""
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=dataset_name, split=SPLIT_NAME, filetype_suffix="array_record"
    )
    split = tfds.core.SplitInfo(
        name=SPLIT_NAME, shard_lengths=list(num_frames), num_bytes=num_bytes, filename_template=template
    )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=[split],
        filename_template=template,
        check_data=False,
        description=description,
        metadata=tfds.core.MetadataDict(metadata) if metadata else None,
    )


def _as_os_error(error: RuntimeError, path: Path) -> Exception:
    number = system_fault(error)
    return error if number is None else OSError(number, os.strerror(number), str(path))
