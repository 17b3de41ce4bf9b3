"""Written films -> a dataset: files under their numbers, and what tfds and `shards` read beside them."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_pipelines.shards import native_annotations, reader, writer
from data_pipelines.shards.film_to_records import ANNOTATIONS_FILE, FRAMES_FILE, Settings, read_entry
from data_pipelines.shards.records import film_path


def assemble(
    folder: Path,
    film_folders: Sequence[Path],
    lists: Mapping[str, Mapping[str, Sequence[int]]],
    settings: Settings,
) -> None:
    """Makes an empty folder the shards of films. `lists`: subset -> split -> positions in `film_folders`."""
    films = [read_entry(film_folder) for film_folder in film_folders]
    num_frames = [written.film.num_frames for written in films]
    if settings.annotations:
        annotations = folder / native_annotations.FOLDER
        annotations.mkdir()
        _place([film / ANNOTATIONS_FILE for film in film_folders], annotations, native_annotations.DATASET_NAME)
        writer.write_metadata(
            annotations,
            dataset_name=native_annotations.DATASET_NAME,
            features=writer.annotation_features(),
            num_frames=num_frames,
            num_bytes=sum(written.annotation_bytes for written in films),
            description="The density and the fixations of people's gaze, frame by frame, at their own size.",
        )
    _place([film / FRAMES_FILE for film in film_folders], folder, reader.DATASET_NAME)
    writer.write_metadata(
        folder,
        dataset_name=reader.DATASET_NAME,
        features=writer.frame_features(settings.size),
        num_frames=num_frames,
        num_bytes=sum(written.num_bytes for written in films),
        description="Films with the density and the fixations of people's gaze, frame by frame, and their sound.",
        metadata={
            "format_version": reader.FORMAT_VERSION,
            "size": settings.size,
            "resize_filter": settings.resize_filter,
            "films": [dataclasses.asdict(written.film) for written in films],
            "lists": {subset: dict(splits) for subset, splits in lists.items()},
        },
    )


def _place(files: Sequence[Path], folder: Path, dataset_name: str) -> None:
    """Gives the files their numbers. They stay where they are too if the file system has hard links."""
    for number, file in enumerate(files):
        target = film_path(folder, dataset_name, number, len(files))
        try:
            os.link(file, target)
        except OSError:
            file.rename(target)
