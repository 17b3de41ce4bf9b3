"""The tfds datasets of a folder of shards: the frames, and the annotations at their own size."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines.shards import native_annotations, reader
from data_pipelines.shards.records import SPLIT_NAME, film_path


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One tfds dataset.

    Attributes:
      name: first part of the names of its files.
      subfolder: its folder in the shards.
      description: text for tfds.
      features: tfds features of a record.
    """

    name: str
    subfolder: str
    description: str
    features: tfds.features.FeaturesDict

    @property
    def file_name(self) -> str:
        """Name of the file of one film, as long as the film has no number."""
        return f"{self.name}.array_record"

    def add_films(self, shards: Path, files: Sequence[Path]) -> None:
        """Names the files of all films by number. Keeps the old names too if the file system has hard links."""
        folder = shards / self.subfolder
        folder.mkdir(exist_ok=True)
        for number, file in enumerate(files):
            target = film_path(folder, self.name, number, len(files))
            try:
                os.link(file, target)
            except OSError:
                file.rename(target)

    def write_metadata(
        self, shards: Path, num_frames: Sequence[int], num_bytes: int, metadata: Mapping[str, Any] | None
    ) -> None:
        """Writes the files that turn a folder of film files into a tfds dataset.

        Args:
          shards: folder of the shards.
          num_frames: number of frames of each film, in the order of the files.
          num_bytes: size of all records.
          metadata: content of metadata.json.
        """
        template = tfds.core.ShardedFileTemplate(
            data_dir=shards / self.subfolder,
            dataset_name=self.name,
            split=SPLIT_NAME,
            filetype_suffix="array_record",
        )
        split = tfds.core.SplitInfo(
            name=SPLIT_NAME, shard_lengths=list(num_frames), num_bytes=num_bytes, filename_template=template
        )
        tfds.folder_dataset.write_metadata(
            data_dir=template.data_dir,
            features=self.features,
            split_infos=[split],
            filename_template=template,
            check_data=False,
            description=self.description,
            metadata=tfds.core.MetadataDict(metadata) if metadata else None,
        )


def datasets(size: int, annotations: bool) -> list[Dataset]:
    """Returns the dataset of the frames and, if `annotations`, the dataset of the annotations at their own size.

    The features are those of `reader.FrameRecord` and `native_annotations.AnnotationRecord`.
    """
    tensor, encoding, text = tfds.features.Tensor, tfds.features.Encoding, tfds.features.Text
    origin = {"frame": tfds.features.Scalar(dtype=np.int64), "video": text(), "database": text()}
    frames = {
        "image": tensor(shape=(size, size, 3), dtype=np.uint8, encoding=encoding.BYTES),
        "density": tensor(shape=(size, size), dtype=np.uint8, encoding=encoding.ZLIB),
        "fixations": tensor(shape=(size, size), dtype=np.uint8, encoding=encoding.ZLIB),
        "sound": tensor(shape=(None,), dtype=np.float32, encoding=encoding.BYTES),
    }
    maps = {
        "density": text(),  # tfds' name for bytes
        "fixations": tensor(shape=(None, 2), dtype=np.int32, encoding=encoding.BYTES),
        "height": tensor(shape=(), dtype=np.int32, encoding=encoding.BYTES),
        "width": tensor(shape=(), dtype=np.int32, encoding=encoding.BYTES),
    }
    rows = [
        (reader.DATASET_NAME, "", "Frames of films with their gaze density, fixations and sound.", frames),
        (
            native_annotations.DATASET_NAME,
            native_annotations.FOLDER,
            "The gaze density and the fixations of each frame, at their own size.",
            maps,
        ),
    ]
    return [
        Dataset(name, subfolder, description, tfds.features.FeaturesDict(features | origin))
        for name, subfolder, description, features in rows[: 1 + annotations]
    ]
