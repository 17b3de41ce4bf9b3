"""What is there of a film in raw data: which file is missing, and whether any has changed since."""

import dataclasses
import hashlib
import os
from pathlib import Path

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout

_ABSENT = b"absent;"


@dataclasses.dataclass(frozen=True)
class FilesOfFilm:
    """`missing`: the first file a film needs and does not have. `state`: changes with any file's size or time; of use
    where none is missing.
    """

    missing: Path | None
    state: str


def look_up(layout: RawLayout, film: ListedFilm) -> FilesOfFilm:
    """Lists a film's folders; opens no file."""
    digest = hashlib.sha256()
    for path_of in (layout.frame_path, layout.density_path, layout.fixation_path):
        found = _entries(path_of(film.database, film.name, 1).parent)
        for number in range(1, film.num_frames + 1):
            path = path_of(film.database, film.name, number)
            state = _state(found.get(path.name))
            if state == _ABSENT:  # and no further: a list may promise any number of frames
                return FilesOfFilm(path, "")
            digest.update(state)
    sound = layout.sound_path(film.database, film.name)
    digest.update(_state(_entries(sound.parent).get(sound.name)))
    return FilesOfFilm(None, digest.hexdigest())


def _entries(folder: Path) -> dict[str, os.DirEntry]:
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}


def _state(entry: os.DirEntry | None) -> bytes:
    try:
        status = entry.stat() if entry else None
    except OSError:  # a link to nothing, or to itself
        status = None
    if status is None:
        return _ABSENT
    return b"%d %d;" % (status.st_size, status.st_mtime_ns)
