"""Eye tracking in BIDS: sub-01_task-x_recording-eye1_physio.tsv.gz, whose columns a .json describes.

The .json lies beside the table or further up, as BIDS inherits it. Read are: timestamp, x_coordinate, y_coordinate and
their units; SamplingFrequency and StartTime; StimulusPresentation (ScreenResolution, ScreenSize, ScreenDistance) of the
.json of the events. Films are shown where the events (_events.tsv) have a stim_file of a film, or where a message of
the tracker (_physioevents.tsv.gz) marks a film's start (`messages`); else a film starts with the first sample. Of
several eyes of an observer, one is read: the cyclopean one, or the first. Source: the BIDS specification.
"""

import contextlib
import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_pipelines.ingestion.film_names import OR
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats import messages
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording
from data_pipelines.ingestion.number_style import NO_DATA
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.ingestion.viewing_geometry import Units, Viewing
from data_pipelines.runtime.errors import UserError

_FILE = re.compile(r"(sub-[^_]+(?:_[a-z]+-[^_]+)*)_(physio|eyetrack)\.tsv(\.gz)?")
_UNITS: dict[str, Units] = {
    "pixel": "pixels",
    "pixels": "pixels",
    "px": "pixels",
    "normalized": "fraction",
    "norm": "fraction",
}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "μs": 1e-6, "µs": 1e-6, "ns": 1e-9}
_X, _Y = ("x_coordinate", "eye1_x_coordinate", "x"), ("y_coordinate", "eye1_y_coordinate", "y")
_EVENTS = {"start": ("onset",), "duration": ("duration",), "film": ("stim_file",)}


@dataclass(frozen=True)
class _Showing:
    """When a film was shown, in seconds of the recording."""

    film: str
    start: float
    end: float = math.inf


def looks_like(path: Path, head: bytes) -> bool:
    name = _FILE.fullmatch(path.name)
    if name is None:
        return False
    with contextlib.suppress(UserError):
        about = _metadata(path, name[2])
        return (
            about.get("PhysioType") == "eyetrack" or name[2] == "eyetrack" or bool({*_X} & {*about.get("Columns", ())})
        )
    return True


def better_file(path: Path) -> Path | None:
    """Returns the recording of another eye of this observer that is read in its place."""
    others = sorted(path.parent.glob(re.sub(r"_recording-[^_]+", "_recording-*", path.name)))
    with contextlib.suppress(UserError):
        for other in others:
            if _metadata(other, "physio").get("RecordedEye") == "cyclopean":
                return other
    return others[0] if others else None


def read(path: Path, film: str) -> Recording:
    name = _FILE.fullmatch(path.name)
    assert name, "looks_like has checked it"
    about, screen = _metadata(path, name[2]), _screen(path)
    columns = about.get("Columns")
    if not (isinstance(columns, list) and all(isinstance(column, str) for column in columns)):
        raise UserError(f"{path}: no .json states its Columns. Put it beside the table.")
    x_title, y_title = (next((title for title in titles if title in columns), None) for titles in (_X, _Y))
    if x_title is None or y_title is None:
        held = ", ".join(columns)
        raise UserError(f"{path}: has no x_coordinate and y_coordinate, but {held}. Write a table of gaze.")
    for title in (y_title, x_title):
        told = str(_of(about, title, "Units") or about.get("SampleCoordinateUnits", "")).casefold()
        if told not in _UNITS:
            raise UserError(
                f"{path}: positions are in {told or 'unknown units'}, not in pixels. Write a table of gaze."
            )
    height = _height_below(path, about, _UNITS[told], screen)
    x_place, y_place = columns.index(x_title), columns.index(y_title)
    time_place = columns.index("timestamp") if "timestamp" in columns else None
    try:
        rate, offset = (float(about.get(key) or math.nan) for key in ("SamplingFrequency", "StartTime"))
    except (TypeError, ValueError):
        raise UserError(f"{path}: SamplingFrequency or StartTime of its .json is not a number. Correct it.") from None
    second = _SECONDS.get(str(_of(about, "timestamp", "Units") or "s").casefold(), math.nan)
    if math.isnan(second if time_place is not None else rate):
        raise UserError(f"{path}: no .json states the unit of timestamp, or SamplingFrequency. Add it.")
    entities = dict(part.split("-", 1) for part in name[1].split("_"))
    by_event = _shown_by_events(path)
    by_message: list[_Showing] | None = None
    gaze, first = GazeRows(), None
    for line, row in _rows(path):
        if len(row) < len(columns):
            fault = f"has {len(row)} fields, but its .json has {len(columns)} Columns"
            raise UserError(f"{path}, line {line}: {fault}. Correct one of them.")
        tracker = _number(path, line, row[time_place]) * second if time_place is not None else (line - 1) / rate
        if first is None and not math.isnan(tracker):
            first = tracker
            by_message = _shown_by_messages(path, second if time_place is not None else 1 / rate)
        time = tracker - (first or 0.0) + (0.0 if math.isnan(offset) else offset)
        x, y = _number(path, line, row[x_place]), _number(path, line, row[y_place])
        y = y if height is None else height - y
        for shown, now in ((by_event, time), (by_message or [], tracker)):
            for showing in shown:
                if showing.start <= now < showing.end:
                    gaze.add(showing.film or film, entities["sub"], now - showing.start, 0.0, x, y)
            if shown:
                break
        else:
            video = OR.join(dict.fromkeys(filter(None, (film, entities.get("task", ""), entities.get("stim", "")))))
            gaze.add(video, entities["sub"], tracker - (first or 0.0), 0.0, x, y)
    clock = "events" if by_event else "messages of the film's start" if by_message else "the first sample"
    conventions = Conventions("BIDS", _UNITS[told], screen, f"samples, times from {clock}")
    return gaze.recording(lambda video: conventions)


def _height_below(path: Path, about: dict[str, Any], units: Units, screen: Viewing) -> float | None:
    """Returns the height to measure y from, if positions are of the lower left corner. None: of the upper left one.

    Raises:
      UserError: they are of neither.
    """
    shown = _metadata(path, "events").get("StimulusPresentation")
    origin = (
        about.get("EnvironmentCoordinates") or (isinstance(shown, dict) and shown.get("ScreenOrigin")) or "top-left"
    )
    words = set(re.findall("[a-z]+", str(origin).casefold()))
    if words <= {"top", "upper", "left"}:
        return None
    height = 1.0 if units == "fraction" else screen.screen and screen.screen[1]
    if not words <= {"bottom", "lower", "left"} or not height:
        raise UserError(f"{path}: positions are measured from {origin} of a screen. Write a table of gaze.")
    return float(height)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the line number and the fields of each line of a table without a header."""
    try:
        open_text = gzip.open if path.suffix == ".gz" else open
        with open_text(path, "rt", encoding="utf-8-sig") as file:
            for line, text in enumerate(file, start=1):
                if text.strip():
                    yield line, [field.strip().strip('"') for field in text.rstrip("\r\n").split("\t")]
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}). Fetch it again.") from None


def _number(path: Path, line: int, text: str) -> float:
    if text.casefold() in NO_DATA:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        raise UserError(f"{path}, line {line}: {text[:40]!r} is not a number. Correct or remove the line.") from None
    return number


def _of(about: dict[str, Any], column: str, key: str) -> Any:
    described = about.get(column)
    return described.get(key) if isinstance(described, dict) else None


def _metadata(path: Path, kind: str) -> dict[str, Any]:
    """Returns what the .json files say of a table. Those further up count less, as BIDS inherits them."""
    own = path.name.split(".")[0]
    parts = set(own.split("_")[:-1])
    found: dict[str, Any] = {}
    folders = list(path.parents)[:6]
    top = next((place for place, folder in enumerate(folders) if (folder / "dataset_description.json").is_file()), 0)
    for folder in reversed(folders[: top + 1]):
        named = [(file, file.stem.split("_")) for file in folder.glob(f"*{kind}.json")]
        candidates = [file for file, (*entities, last) in named if last == kind and set(entities) <= parts]
        for file in sorted(candidates, key=lambda file: len(file.stem)):
            try:
                described = json.loads(file.read_text(encoding="utf-8-sig"))
            except (OSError, ValueError):
                raise UserError(f"{file}: is not readable JSON. Correct it.") from None
            found |= described if isinstance(described, dict) else {}
    return found


def _screen(path: Path) -> Viewing:
    """Returns the screen that the .json of the events describes, or that of the table itself."""
    about = _metadata(path, "physio") | _metadata(path, "events")
    shown = about.get("StimulusPresentation")
    shown = about | shown if isinstance(shown, dict) else about
    try:
        size = shown.get("ScreenResolution")
        screen = (int(size[0]), int(size[1])) if size else None
        if shown.get("ScreenSize") and shown.get("ScreenDistance"):
            width_cm, distance_cm = 100 * float(shown["ScreenSize"][0]), 100 * float(shown["ScreenDistance"])
            return Viewing(screen=screen, screen_width_cm=width_cm, distance_cm=distance_cm)
    except (TypeError, ValueError, IndexError, KeyError):
        keys = "ScreenResolution, ScreenSize or ScreenDistance"
        raise UserError(f"{path}: {keys} of its .json is no size. Correct it.") from None
    return Viewing(screen=screen)


def _beside(path: Path, kind: str) -> Path | None:
    """Returns the file of another kind that belongs to a table, with or without its recording."""
    stem = path.name.split(".")[0].rpartition("_")[0]
    stems = (stem, re.sub(r"_recording-[^_]+", "", stem))
    places = [path.with_name(f"{stem}_{kind}{suffix}") for stem in stems for suffix in (".tsv.gz", ".tsv")]
    return next((place for place in places if place.is_file()), None)


def _shown_by_events(path: Path) -> list[_Showing]:
    file = _beside(path, "events")
    if file is None or file.suffix == ".gz":
        return []
    table = TextTable(file, _EVENTS, clocks=("start",), others=("duration",))
    table.require("start")
    shown = []
    for line, row in table.rows():
        film = messages.film_before(table.text(row, "film"))
        start = table.number(line, row, "start") if film else math.nan
        length = table.number(line, row, "duration") if film and "duration" in table else math.nan
        if film and not math.isnan(start):
            shown.append(_Showing(film, start, start + length if length > 0 else math.inf))
    return _in_turn(shown)


def _shown_by_messages(path: Path, second: float) -> list[_Showing]:
    file = _beside(path, "physioevents")
    if file is None:
        return []
    shown: list[_Showing] = []
    for line, row in _rows(file):
        text = " ".join(field for field in row[1:] if field.casefold() not in NO_DATA)
        if messages.ends_film(text) and shown:
            shown[-1] = _Showing(shown[-1].film, shown[-1].start, _number(file, line, row[0]) * second)
        elif messages.starts_film(text) or messages.film_in(text):
            names, now = messages.names_in(text), shown[-1] if shown else None
            if now is None or messages.starts_film(text) or messages.is_other_film(names, now.film):
                shown.append(_Showing(names, _number(file, line, row[0]) * second))
    return _in_turn(shown)


def _in_turn(shown: list[_Showing]) -> list[_Showing]:
    """Returns showings of which each ends before the next one."""
    shown = sorted(shown, key=lambda showing: showing.start)
    starts = [*(showing.start for showing in shown), math.inf]
    return [replace(now, end=min(now.end, starts[place])) for place, now in enumerate(shown, start=1)]
