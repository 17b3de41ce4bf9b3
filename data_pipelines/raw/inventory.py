"""Checks which files of a film exist in raw data, and whether any has changed."""

import hashlib
import os
from pathlib import Path

from data_pipelines.raw.fold_lists import ListedFilm
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError


def state_of_files(layout: RawLayout, film: ListedFilm) -> str:
    """Returns a digest of the sizes and times of a film's files. Lists folders and opens no file.

    Raises:
      UserError: a file that every film needs is missing.
    """
    digest = hashlib.sha256()
    for path_of in (layout.frame_path, layout.density_path, layout.fixation_path):
        found = _entries(path_of(film.database, film.name, 1).parent)
        for number in range(1, film.num_frames + 1):
            path = path_of(film.database, film.name, number)
            state = _state(found.get(path.name))
            if not state:  # stop here: a list may claim any number of frames
                raise UserError(
                    f"{path}: the file is missing, of {film.num_frames} frames. "
                    "Fetch the database again, or correct or remove the film's line in its lists."
                )
            digest.update(state)
    sound = layout.sound_path(film.database, film.name)
    digest.update(_state(_entries(sound.parent).get(sound.name)) or b"silent;")
    return digest.hexdigest()


def _entries(folder: Path) -> dict[str, os.DirEntry]:
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}


def _state(entry: os.DirEntry | None) -> bytes:
    """Returns a file's size and time, or nothing if it does not exist."""
    try:
        status = entry.stat() if entry else None
    except OSError:  # a link to nothing, or to itself
        status = None
    return b"%d %d;" % (status.st_size, status.st_mtime_ns) if status else b""
