"""Reads the fixations of AViMoS, NTIRE 2026 and CrowdSAL. Each film has one JSON file.

    FixationsTest/Test/<film>/fixations.json   SaliencyTest/Test/<film>.mp4   AViMoS, NTIRE 2026
    Test/Fixations/<film>.json                 Test/Saliency/<film>.mp4       CrowdSAL

A file is a list with an item for each frame: a list of [row, column] in pixels of the film, one for each fixation. Rows
come first: the benchmark's own program takes them so. Source: bench.py and README.md of
github.com/msu-video-group/NTIRE26_Saliency_Prediction and CrowdSAL.
"""

import json
import re
from pathlib import Path

import numpy as np

from data_pipelines.runtime.errors import UserError, reason

FILE_NAME = "fixations.json"
FIXATIONS, SALIENCY = "Fixations", "Saliency"  # how names of folders begin
_HEAD = re.compile(rb"\s*\[\s*\[\s*(\[\s*-?\d+(\.\d*)?\s*,\s*-?\d+(\.\d*)?\s*\]|\])")


def is_fixation_file(path: Path, head: bytes) -> bool:
    """Returns whether a file is one, by its suffix and its first bytes."""
    return path.suffix.lower() == ".json" and bool(_HEAD.match(head))


def film_of(path: Path) -> str:
    """Returns the name of the film that a file is of."""
    return path.parent.name if path.name.lower() == FILE_NAME else path.stem


def saliency_film_of(path: Path) -> Path | None:
    """Returns the film of density maps that belongs to a file, in the folder Saliency* beside Fixations*, or None."""
    film = f"{film_of(path)}.mp4"
    folder = path.parent.parent if path.name.lower() == FILE_NAME else path.parent
    parts = list(folder.parts)
    for place in reversed(range(len(parts))):
        if parts[place].startswith(FIXATIONS):
            beside = [*parts[:place], SALIENCY + parts[place].removeprefix(FIXATIONS), *parts[place + 1 :]]
            found = Path(*beside) / film
            return found if found.is_file() else None
    return None


def read_fixation_file(path: Path) -> list[np.ndarray]:
    """Returns the rows and columns of the fixations of each frame, int [N, 2], of frame 1 first.

    Raises:
      UserError: the file cannot be read, or an item is not a list of pairs of whole numbers.
    """
    try:
        frames = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        fault = reason(error) if isinstance(error, OSError) else "no JSON"
        raise UserError(f"{path}: cannot be read ({fault}). Fetch it again.") from None
    if not isinstance(frames, list):
        raise UserError(f"{path}: is not a list of frames. Give the fixations of the benchmark.")
    return [_points(path, number, points) for number, points in enumerate(frames, start=1)]


def _points(path: Path, number: int, points: object) -> np.ndarray:
    if points == []:
        return np.zeros((0, 2), int)
    try:
        values = np.array(points, np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.zeros(0)
    if values.ndim != 2 or values.shape[1] != 2 or not (np.isfinite(values) & (values == np.round(values))).all():
        raise UserError(
            f"{path}, frame {number}: is not a list of pairs [row, column] of whole numbers. Fetch the file again."
        )
    return values.astype(int)
