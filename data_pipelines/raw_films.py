"""What is there of a film in raw data: which file is missing, and whether any has changed since."""

import dataclasses
import hashlib
import os
from pathlib import Path

from data_pipelines.fold_lists import Film
from data_pipelines.raw_layout import RawLayout


@dataclasses.dataclass(frozen=True)
class FilesOfFilm:
    """`missing`: the first file a film needs and does not have. `state`: changes with any file's size or time."""

    missing: Path | None
    state: str


def look_up(layout: RawLayout, film: Film) -> FilesOfFilm:
    """Lists a film's folders; opens no file."""
    missing, digest = None, hashlib.sha256()
    for path_of in (layout.frame_path, layout.density_path, layout.fixation_path):
        paths = [path_of(film.database, film.name, number) for number in range(1, film.num_frames + 1)]
        found = _entries(paths[0].parent)
        for path in paths:
            entry = found.get(path.name)
            missing = missing or (None if entry else path)
            digest.update(_state(entry))
    sound = layout.sound_path(film.database, film.name)
    digest.update(_state(_entries(sound.parent).get(sound.name)))
    return FilesOfFilm(missing, digest.hexdigest())


def _entries(folder: Path) -> dict[str, os.DirEntry]:
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}


def _state(entry: os.DirEntry | None) -> bytes:
    if entry is None:
        return b"absent;"
    status = entry.stat()
    return b"%d %d;" % (status.st_size, status.st_mtime_ns)
