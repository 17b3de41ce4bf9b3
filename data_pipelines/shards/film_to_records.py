"""One film of raw data -> its files in shards. Where they go, and by how many processes, is others' concern."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_pipelines.inputs import windows
from data_pipelines.inputs.resizing import ResizeFilter, ResizeFixations, ResizePicture
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.shards import reader, writer
from data_pipelines.shards.native_annotations import AnnotationRecord, annotation_record

FRAMES_FILE, ANNOTATIONS_FILE = "frames.array_record", "annotations.array_record"

_ENTRY_FILE = "film.json"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How films are stored. `annotations`: whether at their own size too."""

    size: int
    resize_filter: ResizeFilter
    annotations: bool


@dataclasses.dataclass(frozen=True)
class WrittenFilm:
    """A film as stored, and the bytes of its records."""

    film: reader.StoredFilm
    num_bytes: int
    annotation_bytes: int


def write_film(
    folder: Path, layout: RawLayout, film: ListedFilm, settings: Settings, on_frame: Callable[[], None] = lambda: None
) -> None:
    """Writes a film's files into a folder, and an entry that `read_entry` reads. `on_frame` is called after each frame.

    Raises UserError for a missing or damaged raw file, OSError if the folder cannot be written.
    """
    sound_path = layout.sound_path(film.database, film.name)
    sound, rate_hz = raw_layout.read_sound(sound_path) if sound_path.is_file() else (np.zeros(0, np.float32), 0)
    height, width = raw_layout.read_density(layout.density_path(film.database, film.name, 1)).shape
    names = film.database, film.name
    with contextlib.ExitStack() as stack:
        features = writer.frame_features(settings.size)
        frames = stack.enter_context(writer.RecordWriter(folder / FRAMES_FILE, features, *names))
        annotations = None
        if settings.annotations:
            features = writer.annotation_features()
            annotations = stack.enter_context(writer.RecordWriter(folder / ANNOTATIONS_FILE, features, *names))
        for frame, annotation in _records(layout, film, settings, sound, rate_hz):
            frames.write(frame)
            if annotations:
                annotations.write(annotation)
            on_frame()
    stored = reader.StoredFilm(
        database=film.database,
        name=film.name,
        num_frames=film.num_frames,
        fps=film.fps,
        sound_rate_hz=rate_hz,
        num_samples=len(sound),
        annotation_height=height,
        annotation_width=width,
    )
    entry = WrittenFilm(stored, frames.num_bytes, annotations.num_bytes if annotations else 0)
    (folder / _ENTRY_FILE).write_text(json.dumps(dataclasses.asdict(entry)), encoding="utf-8")
    writer.flush_to_disk(folder / _ENTRY_FILE)


def is_whole(folder: Path, settings: Settings) -> bool:
    """Whether a folder has all that `write_film` writes."""
    files = (_ENTRY_FILE, FRAMES_FILE, *([ANNOTATIONS_FILE] if settings.annotations else []))
    return all((folder / file).is_file() for file in files)


def read_entry(folder: Path) -> WrittenFilm:
    """Of a folder that `write_film` wrote."""
    entry = json.loads((folder / _ENTRY_FILE).read_text(encoding="utf-8"))
    return WrittenFilm(**entry | {"film": reader.StoredFilm(**entry["film"])})


def _records(
    layout: RawLayout, film: ListedFilm, settings: Settings, sound: np.ndarray, rate_hz: int
) -> Iterator[tuple[reader.FrameRecord, AnnotationRecord | None]]:
    resize_picture = ResizePicture(settings.size, settings.resize_filter)
    resize_fixations = ResizeFixations(settings.size)
    for number in range(1, film.num_frames + 1):
        file = film.database, film.name, number
        begin, end = windows.sound_limits(number, film.fps, rate_hz, len(sound)) if rate_hz else (0, 0)
        encoded_density = raw_layout.read_encoded_density(layout.density_path(*file))
        fixations = raw_layout.read_fixations(layout.fixation_path(*file))
        frame = reader.FrameRecord(
            image=resize_picture(raw_layout.read_frame(layout.frame_path(*file))),
            density=resize_picture(raw_layout.decode_density(encoded_density, layout.density_path(*file))),
            fixations=resize_fixations(fixations),
            sound=sound[begin : end + 1],
        )
        yield frame, annotation_record(encoded_density, fixations) if settings.annotations else None
