"""Fixations that SMI's BeGaze exports as events: any number of observers and films.

Times are milliseconds since the trial, and so the film, started. Of two eyes, the one that a participant's first
fixation names is read. The export does not tell the screen: if the film did not fill it, give --screen. Source: SMI's
manuals.
"""

from pathlib import Path

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, observer_of
from data_pipelines.ingestion.text_table import TextTable

_TITLES = {
    "start": ("event start trial time [ms]",),
    "duration": ("event duration [ms]", "fixation duration [ms]"),
    "x": ("fixation position x [px]",),
    "y": ("fixation position y [px]",),
    "kind": ("category", "category binocular"),
    "eye": ("eye l/r", "eye"),
    "media": ("stimulus",),
    "observer": ("participant", "subject"),
}
FIXATION = {"fixation", "f", "visual intake"}
CONVENTIONS = Conventions("SMI", "pixels", clock="fixations, screen unknown, times from the trial's start")


def looks_like(path: Path, head: bytes) -> bool:
    titles = titles_in(head)
    return all(titles & set(_TITLES[name]) for name in ("start", "duration", "x", "y"))


def read(path: Path, film: str) -> Recording:
    table = TextTable(path, _TITLES, clocks=("start",), positions=("x", "y"), others=("duration",))
    table.require("start", "duration", "x", "y")
    gaze = GazeRows()
    eyes: dict[str, str] = {}
    for line, row in table.rows():
        if "kind" in table and table.text(row, "kind").casefold() not in FIXATION:
            continue
        observer = table.text(row, "observer") or observer_of(path, film)
        eye = table.text(row, "eye")
        if eyes.setdefault(observer, eye) != eye:
            continue
        start, duration = table.number(line, row, "start") / 1e3, table.duration(line, row, "duration") / 1e3
        x, y = table.number(line, row, "x"), table.number(line, row, "y")
        gaze.add(table.text(row, "media") or film, observer, start, duration, x, y)
    return gaze.recording(lambda video: CONVENTIONS)
