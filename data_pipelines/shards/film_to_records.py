"""Writes the records of one film of raw data, and makes a dataset of the records of all films."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.inputs import windows
from data_pipelines.inputs.mixdown import MixdownPower
from data_pipelines.inputs.resizing import ResizeFilter, ResizeFixations, ResizePicture
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.shards import reader, writer
from data_pipelines.shards.datasets import Dataset, datasets
from data_pipelines.shards.native_annotations import AnnotationRecord, annotation_record

_ENTRY_FILE = "film.json"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How films are stored.

    Attributes:
      size: height and width of frames and maps in pixels.
      resize_filter: filter of the first resizing step.
      annotations: whether to store the maps at their own size too.
    """

    size: int
    resize_filter: ResizeFilter
    annotations: bool

    def datasets(self) -> list[Dataset]:
        return datasets(self.size, self.annotations)


@dataclasses.dataclass(frozen=True)
class WrittenFilm:
    """A film as stored.

    Attributes:
      num_bytes: size of its records in each dataset.
      sound_is_cancelled: whether the channels of its sound cancel each other.
    """

    film: reader.StoredFilm
    num_bytes: list[int]
    sound_is_cancelled: bool = False


def write_film_records(
    folder: Path, layout: RawLayout, film: ListedFilm, settings: Settings, on_frame: Callable[[], None] = lambda: None
) -> None:
    """Writes the files of a film into a folder, with an entry for `read_entry`. Calls `on_frame` after each frame.

    Raises:
      UserError: a raw file is missing or damaged.
      OSError: the folder cannot be written.
    """
    sound_path = layout.sound_path(film.database, film.name)
    has_sound = sound_path.is_file()
    channels, rate_hz = raw_layout.read_channels(sound_path) if has_sound else (np.zeros((0, 1), np.float32), 0)
    sound, power = channels.mean(axis=1, dtype=np.float32), MixdownPower()
    power.add(channels, sound)
    del channels
    height, width = raw_layout.read_density(layout.density_path(film.database, film.name, 1)).shape
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                writer.RecordWriter(folder / dataset.file_name, dataset.features, film.database, film.name)
            )
            for dataset in settings.datasets()
        ]
        for records in _records(layout, film, settings, sound, rate_hz):
            for record_writer, record in zip(writers, records, strict=True):
                record_writer.write(record)
            on_frame()
    stored = reader.StoredFilm(
        **dataclasses.asdict(film),
        sound_rate_hz=rate_hz,
        num_samples=len(sound),
        annotation_height=height,
        annotation_width=width,
    )
    entry = WrittenFilm(stored, [record_writer.num_bytes for record_writer in writers], power.is_cancelled)
    (folder / _ENTRY_FILE).write_text(json.dumps(dataclasses.asdict(entry)), encoding="utf-8")
    writer.flush_to_disk(folder / _ENTRY_FILE)


def is_whole(folder: Path, settings: Settings) -> bool:
    """Returns whether a folder has everything that `write_film_records` writes."""
    files = [_ENTRY_FILE, *(dataset.file_name for dataset in settings.datasets())]
    return all((folder / file).is_file() for file in files)


def read_entry(folder: Path) -> WrittenFilm:
    """Reads the entry of a folder that `write_film_records` wrote."""
    entry = json.loads((folder / _ENTRY_FILE).read_text(encoding="utf-8"))
    return WrittenFilm(**entry | {"film": reader.StoredFilm(**entry["film"])})


def assemble(
    shards: Path,
    film_folders: Sequence[Path],
    lists: Mapping[str, Mapping[str, Sequence[int]]],
    settings: Settings,
) -> None:
    """Fills an empty folder with the shards of films that `write_film_records` wrote.

    Args:
      shards: folder to fill.
      film_folders: folder of each film.
      lists: subset -> split -> positions in `film_folders`.
      settings: settings that the films were written with.
    """
    films = [read_entry(folder) for folder in film_folders]
    metadata = {
        "format_version": reader.FORMAT_VERSION,
        "size": settings.size,
        "resize_filter": settings.resize_filter,
        "films": [dataclasses.asdict(written.film) for written in films],
        "lists": {subset: dict(splits) for subset, splits in lists.items()},
    }
    for index, dataset in enumerate(settings.datasets()):
        dataset.add_films(shards, [folder / dataset.file_name for folder in film_folders])
        num_frames = [written.film.num_frames for written in films]
        num_bytes = sum(written.num_bytes[index] for written in films)
        dataset.write_metadata(shards, num_frames, num_bytes, metadata if index == 0 else None)


def _records(
    layout: RawLayout, film: ListedFilm, settings: Settings, sound: np.ndarray, rate_hz: int
) -> Iterator[tuple[reader.FrameRecord] | tuple[reader.FrameRecord, AnnotationRecord]]:
    """Yields the records of each frame, one per dataset."""
    resize_picture = ResizePicture(settings.size, settings.resize_filter)
    resize_fixations = ResizeFixations(settings.size)
    for number in range(1, film.num_frames + 1):
        file = film.database, film.name, number
        begin, end = windows.sound_limits(number, film.fps, rate_hz, len(sound)) if rate_hz else (0, 0)
        encoded_density = raw_layout.read_file(layout.density_path(*file))
        fixations = raw_layout.read_fixations(layout.fixation_path(*file))
        frame = reader.FrameRecord(
            image=resize_picture(raw_layout.read_frame(layout.frame_path(*file))),
            density=resize_picture(raw_layout.decode_density(encoded_density, layout.density_path(*file))),
            fixations=resize_fixations(fixations),
            sound=sound[begin : end + 1],
        )
        yield (frame, annotation_record(encoded_density, fixations)) if settings.annotations else (frame,)
