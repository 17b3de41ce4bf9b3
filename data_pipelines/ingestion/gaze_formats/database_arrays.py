"""Gaze of whole databases in .mat files: Coutrot 1 and 2, SumMe and ETMD, and files like them.

Databases of pictures are read by `picture_databases`.

Each film has an array [x and y, frames, observers]: position on each frame of each observer, NaN where it is missing.
The arrays lie in nested structures whose fields name the films. Sources: the databases' pages and public readers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats import picture_databases
from data_pipelines.ingestion.gaze_formats.recording import Recording
from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.raw.matlab_files import NEEDS_H5PY, read_variables
from data_pipelines.runtime.errors import UserError, reason

CLOCK = "frames from 1"
COUTROT_2_SCREEN = (1280, 1024)
LEAST_ON_FILM = 0.8  # share of the samples; below, x and y are of the screen
# Names of arrays that say nothing of the film, which the structure or the file around them names.
_PLAIN = {"data", "eye_tracks", "eye_track", "eye_data", "eyedata", "eye_data_all", "gaze", "xy", "tracks"}


@dataclass(frozen=True)
class _Database:
    """What is known of a file by the name of its variable. `condition`: the field to take, such as the sound heard."""

    name: str
    units: Units | None = None
    condition: str = ""


_DATABASES = {
    "Coutrot_Database1": _Database("Coutrot 1", "pixels", "OriginalSounds"),
    "Coutrot_Database2": _Database("Coutrot 2", "pixels", "AudioVisual"),
    "eye_data_all": _Database("SumMe and ETMD", "fraction"),
}


def looks_like(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".mat" or head.startswith(b"MATLAB ")


def read(path: Path, film: str) -> Recording:
    variables = mat_variables(path)
    if (of_pictures := picture_databases.gaze_in(variables, path)) is not None:
        return of_pictures
    recording = Recording()
    for variable, value in variables.items():
        database = _DATABASES.get(variable, _Database(path.name))
        if database.condition:
            if not isinstance(value, dict) or database.condition not in value:
                held = ", ".join(value) if isinstance(value, dict) else "no structure"
                raise UserError(f"{path}: {variable} has no {database.condition}, but {held}. Fetch it again.")
            value = value[database.condition]
        for name, array, info in _arrays(value, variable, film):
            if name in recording.gaze:
                raise UserError(f"{path}: has two arrays of gaze for {name!r}. Save one of them in a file of its own.")
            _add(recording, name, array, info, database)
    if not recording.gaze:
        raise UserError(
            f"{path}: has no array of gaze [x and y, frames, observers], but {', '.join(variables) or 'nothing'}. "
            "Save such an array under the name of its film."
        )
    return recording


def mat_variables(path: Path) -> dict[str, Any]:
    """Returns the variables of a .mat file. Raises UserError if it cannot be read."""
    try:
        return read_variables(path.read_bytes())
    except ImportError:
        raise UserError(f"{path}: {NEEDS_H5PY}") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a readable .mat file ({reason(error)}). Fetch it again.") from None


def _arrays(value: Any, name: str, around: str) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Yields the film, the array [2, frames, observers] and the structure `info` beside it, if any, of each array.

    Args:
      value: a variable or a field.
      name: its name.
      around: the name of the film if `name` says nothing of it.
    """
    film = around if name.casefold() in _PLAIN else name
    if isinstance(value, dict):
        for field, inner in value.items():
            for found, array, info in _arrays(inner, field, film):
                yield found, array, info or _structure(value.get("info"))
    elif isinstance(value, list) and value and all(map(_is_one_track, value)):  # a cell for each observer
        tracks = [np.asarray(track if track.shape[0] in (2, 3) else track.T, float)[:2] for track in value]
        longest = max(track.shape[1] for track in tracks)
        yield film, np.stack([_padded(track, longest) for track in tracks], axis=2), {}
    elif isinstance(value, np.ndarray) and value.ndim == 3 and value.shape[0] in (2, 3):
        yield film, np.asarray(value[:2], float), {}


def _structure(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _is_one_track(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and bool({2, 3} & set(value.shape)) and value.size > 0


def _padded(track: np.ndarray, length: int) -> np.ndarray:
    return np.pad(track, ((0, 0), (0, length - track.shape[1])), constant_values=np.nan)


def _add(recording: Recording, film: str, array: np.ndarray, info: dict, database: _Database) -> None:
    """Adds the array [2, frames, observers] of a film. `info`: of the Coutrot databases, with the film's size."""
    _, num_frames, num_observers = array.shape
    frames, observer = np.divmod(np.arange(num_frames * num_observers), num_observers)
    x, y = array.reshape(2, -1)
    lost = (x == 0) & (y == 0)
    rows = np.column_stack([frames + 1.0, np.zeros(len(x)), np.where(lost, np.nan, x), y])
    viewing = Viewing()
    size = [np.ravel(info.get(key, np.nan)) for key in ("vidwidth", "vidheight")]
    known_size = all(len(side) == 1 and side[0] > 0 for side in size)
    if (
        database.name == "Coutrot 2"
        and known_size
        and _share_within(x, y, *(float(side[0]) for side in size)) < (LEAST_ON_FILM)
    ):
        viewing = Viewing(screen=COUTROT_2_SCREEN, shown="native")
    conventions = Conventions(database.name, database.units, viewing, CLOCK)
    names = [str(number) for number in range(1, num_observers + 1)]
    recording.add(film, rows, conventions, observer, names, counts_frames=True)


def _share_within(x: np.ndarray, y: np.ndarray, width: float, height: float) -> float:
    there = np.isfinite(x) & np.isfinite(y)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return float(inside.sum() / max(1, there.sum()))
