"""Writes shards: a file a film, then what makes their folder a tfds dataset. `shards` says what is in them."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2

from data_pipelines.shards import DATASET_NAME, FORMAT_VERSION, SPLIT_NAME, FrameRecord, StoredFilm

# Uncompressed: pixels hardly shrink, and unpacking them would take longer than all else. The maps, which do shrink, are
# compressed one by one and unpacked for the target frame only.
_WRITER_OPTIONS = "group_size:1,uncompressed"


def features(size: int):
    """The tfds features of a record."""
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
    writer, num_bytes, serialize = array_record_module.ArrayRecordWriter(str(path), _WRITER_OPTIONS), 0, None
    try:
        for number, record in enumerate(records, start=1):
            serialize = serialize or features(len(record.density)).serialize_example
            serialized = serialize(vars(record) | {"frame": number, "video": video, "database": database})
            # In one order, so that the same raw data always gives the same file.
            serialized = tf_example_pb2.Example.FromString(serialized).SerializeToString(deterministic=True)
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
