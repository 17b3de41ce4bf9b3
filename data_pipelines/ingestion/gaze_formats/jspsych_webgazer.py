"""Data of jsPsych experiments with the WebGazer extension (.csv): one row for each trial, any number of observers.

webgazer_data has the samples of a trial as JSON: x and y in pixels of the browser's window, t in milliseconds since the
trial began. webgazer_targets has where the film was: the extension must be told to record it. stimulus names the film.
Source: www.jspsych.org.
"""

import contextlib
import csv
import json
import math
import re
from pathlib import Path
from typing import Any

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats import messages
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, observer_of
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.ingestion.viewing_geometry import Viewing

_TITLES = {
    "gaze": ("webgazer_data",),
    "targets": ("webgazer_targets",),
    "stimulus": ("stimulus", "video", "film", "media"),
    "observer": ("subject", "subject_id", "participant", "participant_id", "prolific_pid", "worker_id", "run_id"),
}
_FILM = re.compile(r"video|film|movie|stimulus", re.IGNORECASE)
_LARGEST_CELL = 2**26  # characters: an hour of samples
CONVENTIONS = Conventions(
    "jsPsych WebGazer", "fraction", Viewing(measured_on_film=True), "samples, times from the trial's start"
)


def looks_like(path: Path, head: bytes) -> bool:
    return "webgazer_data" in titles_in(head)


def read(path: Path, film: str) -> Recording:
    before = csv.field_size_limit(_LARGEST_CELL)
    try:
        return _read(path, film)
    finally:
        csv.field_size_limit(before)


def _read(path: Path, film: str) -> Recording:
    table = TextTable(path, _TITLES)
    table.require("gaze")
    gaze = GazeRows()
    for line, row in table.rows():
        samples = _json(table, line, row, "gaze")
        stimulus = table.text(row, "stimulus")
        video = _film(stimulus) or (film if "stimulus" not in table else "")
        if not samples or not video:
            continue
        try:
            left, top, width, height = _place(_json(table, line, row, "targets"))
        except (TypeError, KeyError, ValueError, AttributeError):
            raise table.error(line, "webgazer_targets has no place of the film; record it with targets") from None
        observer = table.text(row, "observer") or observer_of(path, film) or path.stem
        try:
            for sample in samples:
                x, y, t = (math.nan if sample[key] is None else float(sample[key]) for key in ("x", "y", "t"))
                gaze.add(video, observer, t / 1e3, 0.0, (x - left) / width, (y - top) / height)
        except (TypeError, KeyError, ValueError, AttributeError):
            raise table.error(line, "webgazer_data is not a list of x, y and t") from None
    return gaze.recording(lambda video: CONVENTIONS)


def _json(table: TextTable, line: int, row: list[str], name: str) -> Any:
    text = table.text(row, name)
    try:
        return json.loads(text) if text and text.casefold() not in ("null", "nan") else None
    except ValueError:
        raise table.error(line, f"{name} is not JSON") from None


def _film(stimulus: str) -> str:
    """Returns the film of a trial. `stimulus`: a file name, or JSON with a list of them; empty if it is no film."""
    with contextlib.suppress(ValueError):
        listed = json.loads(stimulus)
        if isinstance(listed, list):
            stimulus = next((name for name in listed if isinstance(name, str)), "")
    return messages.film_before(stimulus)


def _place(targets: dict[str, dict[str, float]]) -> tuple[float, float, float, float]:
    """Returns left, top, width and height of the film in the window. Raises ValueError if it is not there."""
    films = [box for name, box in targets.items() if _FILM.search(name)] or list(targets.values())
    if len(films) != 1:
        raise ValueError("no film")
    box = films[0]
    left, top = (float(box.get(side, box.get(axis, math.nan))) for side, axis in (("left", "x"), ("top", "y")))
    width, height = float(box["width"]), float(box["height"])
    if not (math.isfinite(left + top) and min(width, height) > 0):
        raise ValueError("no place")
    return left, top, width, height
