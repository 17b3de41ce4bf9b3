"""Checks shards: reads every record of every film."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_pipelines.inputs.windows import sound_limits
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.json_files import read_object
from data_pipelines.shards import native_annotations
from data_pipelines.shards.reader import DATASET_NAME, INFO_FILE, METADATA_FILE, Shards, StoredFilm
from data_pipelines.shards.records import film_path
from stavis_jax.checking.finding import Finding, damaged

ADVICE = "Prepare the shards again."
MOST_LOUDNESS = 256  # of samples
FEATURES_FILE = "features.json"  # tfds writes it beside INFO_FILE


def is_shards(folder: Path) -> bool:
    """Returns whether a folder holds shards or what is left of them."""
    return (folder / INFO_FILE).is_file() or any(folder.glob("*.array_record*"))


def check_shards(folder: Path) -> Iterator[Finding]:
    """Yields one finding for each damaged film and file, or one that counts what was read.

    The library checks the checksum of every record. Shapes and ranges of the values are checked here.
    """
    try:
        _check_descriptions(folder)
        shards = Shards(folder)
    except UserError as error:
        yield damaged(folder, error)
        return
    is_whole = True
    for number, film in enumerate(shards.films):
        for path, check in _files(shards, number):
            faults = list(_faults(check, number, film))
            if faults:
                is_whole = False
                count = f"{len(faults)} of {film.num_frames} frames are damaged" if len(faults) > 1 else "damaged"
                yield Finding(path, f"film {film.database}/{film.name}: {count}: {faults[0]}", "damaged")
    if is_whole:
        frames = sum(film.num_frames for film in shards.films)
        maps = "with" if shards.has_native_annotations else "without"
        text = f"shards of {len(shards.films)} films, {frames} frames of {shards.size} pixels, {maps} annotations"
        yield Finding(folder, text)


def _files(shards: Shards, number: int) -> Iterator[tuple[Path, Callable[[int, int], None]]]:
    """Yields the files of a film, and the function that checks a frame (film and frame by number) in each."""
    count = len(shards.films)
    yield film_path(shards.folder, DATASET_NAME, number, count), functools.partial(_check_frame, shards)
    if shards.has_native_annotations:
        folder = shards.folder / native_annotations.FOLDER
        path = film_path(folder, native_annotations.DATASET_NAME, number, count)
        yield path, functools.partial(_check_annotation, shards)


def _check_descriptions(folder: Path) -> None:
    """Raises UserError if a JSON file of the datasets is missing or damaged. Only other programs read some of them."""
    names = (METADATA_FILE, INFO_FILE, FEATURES_FILE)
    annotations = folder / native_annotations.FOLDER
    inside = [annotations / name for name in names[1:]] if annotations.is_dir() else []
    for path in [*(folder / name for name in names), *inside]:
        if not path.is_file():
            raise UserError(f"{path}: the file is missing. {ADVICE}")
        read_object(path, ADVICE)


def _faults(check: Callable[[int, int], None], number: int, film: StoredFilm) -> Iterator[str]:
    """Yields what is wrong with each frame of a film."""
    for frame in range(1, film.num_frames + 1):
        try:
            check(number, frame)
        except UserError as error:
            yield str(error)


def _check_frame(shards: Shards, number: int, frame: int) -> None:
    """Raises UserError if the content of a frame is damaged or out of range."""
    film, stored = shards.films[number], shards.read(number, frame)
    _ = stored.image, stored.density
    if stored.fixations.max() > 1:
        raise UserError(f"frame {frame}: the fixations are not 0 or 1. {ADVICE}")
    if len(stored.sound) != _stored_samples(film, frame):
        raise UserError(f"frame {frame}: the sound has another length than metadata.json says. {ADVICE}")
    if not (np.abs(stored.sound) <= MOST_LOUDNESS).all():
        raise UserError(f"frame {frame}: the sound is not finite or too loud. {ADVICE}")


def _check_annotation(shards: Shards, number: int, frame: int) -> None:
    """Raises UserError if the annotation of a frame is damaged or of another size."""
    film, native = shards.films[number], shards.native_annotation(number, frame)
    for found in (native.density, native.fixations):
        if found.shape != (film.annotation_height, film.annotation_width):
            raise UserError(f"frame {frame}: a map has another size than metadata.json says. {ADVICE}")


def _stored_samples(film: StoredFilm, frame: int) -> int:
    """Returns how many samples of sound a frame holds."""
    if not film.sound_rate_hz:
        return 0
    first, last = sound_limits(frame, film.fps, film.sound_rate_hz, film.num_samples)
    return max(0, min(last + 1, film.num_samples) - first)
