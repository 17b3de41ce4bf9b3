"""Gaze on pictures as OSIE, SALICON and MIT1003 publish it.

  OSIE     .mat: fixations, a cell {img, subjects} for each picture, and in it a cell {fix_x, fix_y, fix_duration} for
           each observer
  SALICON  .mat of a picture: gaze, a structure {location, timestamp, fixations} for each observer; fixations [N, 2] are
           (x, y)
           .json of all pictures: annotations [{image_id, fixations}]; fixations are [row, column]
  MIT1003  .mat of a picture in the folder of an observer: a structure {DATA: {eyeData}} with samples (x, y) at 240 Hz

All positions are pixels of the picture, counted from 1. Sources: the databases' pages, the code that OSIE and SALICON
publish with them, and public readers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.ingestion.fixation_detection import dispersion_fixations
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.json_files import read_object

OSIE = Conventions("OSIE", "pixels", Viewing(sigma=24))  # the sigmas are those of the maps that the databases publish
SALICON = Conventions("SALICON", "pixels", Viewing(sigma=19))
MIT1003_DEGREE = 35  # pixels
MIT1003 = Conventions("MIT1003", "pixels", Viewing(sigma=MIT1003_DEGREE), "fixations found in its samples")
MIT1003_RATE_HZ = 240
PIXEL_ONE = 0.5  # middle of the first pixel, whose number is 1
ADVICE = "Fetch it again."


def looks_like(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".json" and (b'"annotations"' in head or b'"images"' in head)


def read(path: Path, film: str) -> Recording:
    """Reads SALICON's .json."""
    content, gaze = read_object(path, ADVICE), GazeRows()
    try:
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        for number, annotation in enumerate(content["annotations"]):
            name, observer = names[annotation["image_id"]], str(annotation.get("worker_id", number))
            for row, column in annotation["fixations"]:
                gaze.add(name, observer, 0, 0, float(column) - PIXEL_ONE, float(row) - PIXEL_ONE)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UserError(f"{path}: is not of SALICON's form ({reason(error)}). {ADVICE}") from None
    return gaze.recording(lambda _: SALICON)


def gaze_in(variables: Mapping[str, Any], path: Path) -> Recording | None:
    """Returns the gaze in the variables of a .mat file, or None if they are of no database of pictures."""
    try:
        if (pictures := _structures(variables.get("fixations"))) and "subjects" in pictures[0]:
            return _osie(pictures)
        if (observers := _structures(variables.get("gaze"))) and "fixations" in observers[0]:
            return _salicon(observers, path.stem)
        for value in variables.values():
            if isinstance(value, dict) and (data := _structures(value.get("DATA"))) and "eyeData" in data[0]:
                return _mit1003(np.asarray(data[0]["eyeData"], float), path)
    except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise UserError(f"{path}: its gaze has an unknown form ({reason(error)}). {ADVICE}") from None
    return None


def _osie(pictures: list[dict[str, Any]]) -> Recording:
    recording = Recording()
    for picture in pictures:
        subjects = _structures(picture["subjects"])
        parts = [
            np.column_stack([np.ravel(subject["fix_x"]), np.ravel(subject["fix_y"]), np.ravel(subject["fix_duration"])])
            for subject in subjects
        ]
        _add(recording, picture["img"], [(part[:, :2], part[:, 2] / 1000) for part in parts], OSIE)
    return recording


def _salicon(observers: list[dict[str, Any]], name: str) -> Recording:
    recording, parts = Recording(), [np.reshape(observer["fixations"], (-1, 2)) for observer in observers]
    _add(recording, name, [(part, np.zeros(len(part))) for part in parts], SALICON)
    return recording


def _mit1003(samples: np.ndarray, path: Path) -> Recording:
    """Leaves out the first fixation, as the database's own code does: it is on the cross before the picture."""
    points, seconds = dispersion_fixations(samples[:, :2], MIT1003_RATE_HZ, MIT1003_DEGREE)
    recording = Recording()
    _add(recording, path.stem, [(points[1:], seconds[1:])], MIT1003, [path.parent.name])
    return recording


def _add(
    recording: Recording,
    picture: str,
    of_observers: list[tuple[np.ndarray, np.ndarray]],
    conventions: Conventions,
    names: list[str] | None = None,
) -> None:
    """Adds the fixations of a picture: for each observer points [N, 2], in pixels from 1, and durations in seconds."""
    rows = [np.column_stack([np.zeros(len(xy)), seconds, xy - PIXEL_ONE]) for xy, seconds in of_observers]
    observer = np.repeat(np.arange(len(rows)), list(map(len, rows)))
    names = names or [str(number) for number in range(1, len(rows) + 1)]
    recording.add(picture, np.concatenate([np.zeros((0, 4)), *rows]), conventions, observer, names)


def _structures(value: Any) -> list[dict[str, Any]]:
    """Returns an array of structures, or a single one, as a list; empty if the value is something else."""
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(inner, dict) for inner in values) else []
