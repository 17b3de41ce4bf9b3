"""Gaze and fixations on a surface, by Pupil Labs: Pupil Player, Neon Player and the Marker Mapper of Pupil Cloud.

The surface is the picture of the film. It is named after the film, or the files lie in a folder that is. Its (0, 0) is
the lower left corner in Pupil Player and the upper left one elsewhere. A film starts
  - at an annotation in annotations.csv beside the folder `surfaces`, with the film's file name or a message such as
    film_start (`messages`);
  - where its section starts, by sections.csv beside the file: choose the film's start as the enrichment's start event;
  - else at the file's first row, or the section's.
Gaze of little confidence is left out. Gaze in the picture of the scene camera is not gaze on a film. Sources:
docs.pupil-labs.com, public readers.
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.film_names import OR
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats import messages
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording
from data_pipelines.ingestion.text_table import TextTable

_NAME = re.compile(r"(.*?)[_ -]*(?:gaze_positions|fixations)_on_surface_?(.*)", re.IGNORECASE)
_TITLES = {
    "time": ("gaze_timestamp", "start_timestamp", "timestamp [ns]", "start timestamp [ns]"),
    "duration": ("duration", "duration [ms]"),
    "fixation": ("fixation_id", "fixation id"),
    "x": ("x_norm", "norm_pos_x", "gaze position on surface x [normalized]", "fixation x [normalized]"),
    "y": ("y_norm", "norm_pos_y", "gaze position on surface y [normalized]", "fixation y [normalized]"),
    "on": ("on_surf", "on_srf", "gaze detected on surface", "fixation detected on surface"),
    "confidence": ("confidence",),
    "section": ("section id",),
    "recording": ("recording id",),
}
_SECTIONS = {
    "section": ("section id",),
    "start": ("section start time [ns]",),
    "event": ("start event name",),
    "observer": ("wearer name", "recording name"),
}
_ANNOTATIONS = {"time": ("timestamp",), "text": ("label",)}
_START_WORD = re.compile(r"^(start|begin)[._ -]+|[._ -]+(start|begin|onset)$", re.IGNORECASE)
LEAST_CONFIDENCE = 0.6  # of Pupil Core: less is of no use by its documentation
_NO_NAME = re.compile(r"surfaces|exports?|\d+", re.IGNORECASE)


@dataclass(frozen=True)
class _Section:
    """When a film started, in seconds, and the names that it and its observer may have."""

    start: float
    film: str = ""
    observer: str = ""
    end: float = math.inf


def looks_like(path: Path, head: bytes) -> bool:
    titles = titles_in(head)
    return all(titles & set(_TITLES[name]) for name in ("time", "x", "y", "on"))


def better_file(path: Path) -> Path | None:
    """Returns the file of the fixations that belong to a file of gaze."""
    if path.stem.casefold() == "gaze":
        return path.with_name(f"fixations{path.suffix}")
    return path.with_name(path.name.replace("gaze_positions_on_surface", "fixations_on_surface"))


def read(path: Path, film: str) -> Recording:
    table = TextTable(path, _TITLES, clocks=("time",), positions=("x", "y"), others=("duration", "confidence"))
    table.require("time", "x", "y", "on")
    is_core = table.header[table.places["time"]].strip().casefold() in ("gaze_timestamp", "start_timestamp")
    has_fixations = "duration" in table
    name = _NAME.fullmatch(path.stem)
    prefix, surface = (name[1], name[2]) if name else ("", "")
    folders = [part.name for part in path.parents if part.name and not _NO_NAME.fullmatch(part.name)][:2]
    sections = {} if is_core else _sections(path)
    annotated = _annotated(path) if is_core else []
    gaze, seen = GazeRows(), set()
    first: dict[str, float] = {}
    for line, row in table.rows():
        time = table.number(line, row, "time") * (1.0 if is_core else 1e-9)
        section = table.text(row, "section")
        shown = sections.get(section) or _Section(first.setdefault(section, time))
        if annotated:
            shown = next((start for start in reversed(annotated) if start.start <= time), annotated[0])
        if time >= shown.end:
            continue
        fixation = (section, table.text(row, "fixation"), shown.start)
        if not table.truth(line, row, "on") or (has_fixations and fixation in seen):  # a row for each frame
            continue
        seen.add(fixation)
        duration = table.duration(line, row, "duration") * 1e-3
        x, y = table.number(line, row, "x"), table.number(line, row, "y")
        if "confidence" in table and table.number(line, row, "confidence") < LEAST_CONFIDENCE:
            x = math.nan
        video = OR.join(dict.fromkeys(filter(None, (shown.film, surface, film, *folders))))
        observer = shown.observer or prefix or table.text(row, "recording") or (folders[0] if folders else "")
        gaze.add(video, observer, time - shown.start, duration, x, 1 - y if is_core else y)
    what = "fixations" if has_fixations else "samples"
    clock = "the film's start" if sections or annotated else "the first row"
    conventions = Conventions(
        "Pupil Core" if is_core else "Pupil Labs", "fraction", clock=f"{what}, times from {clock}"
    )
    return gaze.recording(lambda video: conventions)


def _sections(path: Path) -> dict[str, _Section]:
    """Returns the sections of an enrichment of Pupil Cloud by their names."""
    beside = path.with_name("sections.csv")
    if not beside.is_file():
        return {}
    table = TextTable(beside, _SECTIONS, clocks=("start",))
    table.require("section", "start")
    sections = {}
    for line, row in table.rows():
        event = table.text(row, "event")
        film = messages.names_in(event) if messages.film_in(event) else _START_WORD.sub("", event)
        start = table.number(line, row, "start") * 1e-9
        sections[table.text(row, "section")] = _Section(start, film, table.text(row, "observer"))
    return sections


def _annotated(path: Path) -> list[_Section]:
    """Returns the films that start at annotations of Pupil Player, in order."""
    beside = path.parent.parent / "annotations.csv"
    if not beside.is_file():
        return []
    table = TextTable(beside, _ANNOTATIONS, clocks=("time",))
    table.require("time", "text")
    told = []
    for line, row in table.rows():
        time, label = table.number(line, row, "time"), table.text(row, "text")
        if messages.starts_film(label) or messages.ends_film(label) or messages.film_in(label):
            told.append((time, label))
    starts: list[_Section] = []
    for time, label in sorted(told):
        now, names = starts[-1] if starts else None, messages.names_in(label)
        if messages.ends_film(label):
            starts[-1:] = [replace(now, end=min(now.end, time))] if now else []
        elif now is None or messages.starts_film(label) or messages.is_other_film(names, now.film):
            starts.append(_Section(time, names))
    return starts
