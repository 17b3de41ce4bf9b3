"""Reads gaze tables: text files with a header and one gaze sample or fixation per line."""

import argparse
import math
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze import GazeTable, GazeTables
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.runtime.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt")
HEADER_BYTES = 1 << 16
COLUMNS = ("video", "observer", "time", "time_ms", "frame", "x", "y", "duration", "duration_ms", "valid")
PICTURE_TITLES = ("video", "picture", "image")
CLOCKS, DURATIONS = ("time", "time_ms", "frame"), ("duration", "duration_ms")
_UNITS = (  # in titles: units, names of columns, and what our name ends with
    ("px|pixels?", "x|y", ""),
    ("s|secs?|seconds?", "time|duration", ""),
    ("ms|msecs?|milliseconds?", "time|duration", "_ms"),
)
LONGEST_SECONDS, SHORTEST_SECONDS = 30, 2e-3  # of the fixation in the middle
_SECONDS = {"time": 1.0, "time_ms": 1e-3, "duration": 1.0, "duration_ms": 1e-3}  # in one unit of the column


def column_pairs(text: str) -> list[tuple[str, str]]:
    """Returns the pairs of a text such as "x=gx" or "x=gx,y=gy". Names of columns may contain commas themselves."""
    pairs = [part.partition("=") for part in re.split(r",(?=\s*\w+=)", text)]
    if not all(equals for _, equals, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not OURS=YOURS")
    return [(ours.strip(), yours) for ours, _, yours in pairs]


def checked_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Returns our names, of COLUMNS -> a file's names. Raises UserError if one of ours is not known."""
    for name in columns or {}:
        if name not in COLUMNS:
            raise UserError(f"--columns {name}: is not known. Choose from {', '.join(COLUMNS)}.")
    return dict(columns or {})


def has_positions(path: Path, columns: Mapping[str, str]) -> bool:
    """Returns whether a file's header has the columns x and y."""
    with path.open("rb") as file:
        titles = titles_in(file.read(HEADER_BYTES), _plain)
    return {_plain(columns.get(name, name)) for name in ("x", "y")} <= titles


def read_table(
    path: Path, film: str, columns: Mapping[str, str], tables: GazeTables, stills: bool = False
) -> dict[str, GazeTable]:
    """Returns the gaze of each video of a table, and counts its rows in `tables`. See `gaze_files.read_gaze`."""
    table = _GazeColumns(path, columns, stills)
    values: dict[str, tuple[array, array, dict[str, int]]] = {}
    for line, row in table.rows():
        tables.num_rows += 1
        start, duration, x, y, valid = table.values(line, row)
        if valid is False:
            tables.num_invalid += 1
        elif math.isnan(start + duration + x + y) or x == y == 0:
            tables.num_missing += 1
        elif valid is None:
            raise table.error(line, "valid: is missing")
        else:
            video = table.text(row, "video") or film
            numbers, whose, observers = values.setdefault(video, (array("d"), array("l"), {}))
            numbers.extend((start, duration, x, y))
            name = table.text(row, "observer") or (path.stem if film != path.stem else "")
            whose.append(observers.setdefault(name, len(observers)))
    if not stills:  # their durations are not used
        table.check_durations([number for numbers, _, _ in values.values() for number in numbers[1::4] if number > 0])
    gaze = {}
    for video, (numbers, whose, observers) in values.items():
        starts, durations, xs, ys = np.array(numbers).reshape(-1, 4).T
        counts_frames = table.clock == "frame"
        gaze[video] = GazeTable(starts, durations, xs, ys, counts_frames, np.array(whose), tuple(observers))
    return gaze


def _plain(title: str) -> str:
    """Returns a title in our words if its unit is one of ours: `Time [ms]` -> time_ms, `X (px)` -> x."""
    text = title.strip().casefold()
    for units, names, suffix in _UNITS:
        if found := re.fullmatch(rf"({names})(?: *\[({units})\]| *\(({units})\)|_({units}))", text):
            return found[1] + suffix
    return text


def _forms(title: str) -> tuple[str, ...]:
    """Returns a title as it is, and in our words if it differs."""
    return tuple(dict.fromkeys((title.strip().casefold(), _plain(title))))


class _GazeColumns(TextTable):
    """The columns of a gaze table."""

    def __init__(self, path: Path, columns: Mapping[str, str], stills: bool):
        titles: dict[str, Sequence[str]] = {name: _forms(columns.get(name, name)) for name in COLUMNS}
        for name, title in columns.items():
            if f"{name}_ms" in titles[name][1:]:
                raise UserError(f"--columns {name}={title}: is in milliseconds. Give it as {name}_ms.")
        if stills and "video" not in columns:
            titles["video"] = PICTURE_TITLES
        taken = {form for title in columns.values() for form in _forms(title)}  # these mean what the user says
        titles |= {name: [one for one in titles[name] if one not in taken] for name in COLUMNS if name not in columns}
        super().__init__(path, titles, clocks=CLOCKS, positions=("x", "y"), others=DURATIONS, plain=_plain)
        for name, title in columns.items():
            if name not in self:
                raise UserError(f"{path}: has no column {title!r}. It has {', '.join(self.header)}.")
        for needed in (("x",), ("y",), *([] if stills else [CLOCKS])):
            if not self.places.keys() & set(needed):
                raise UserError(
                    f"{path}: has no column {' or '.join(needed)}. It has {', '.join(self.header)}. "
                    f"Give its name as --columns {needed[0]}=NAME."
                )
        self._width = 1 + max(place for place, title in enumerate(self.header) if title.strip())
        given_first = sorted(COLUMNS, key=lambda name: name not in columns)
        clock = next((name for name in given_first if name in CLOCKS and name in self), "")
        self.clock = "" if stills else clock  # a still is shown at all times
        self.length = next((name for name in given_first if name in DURATIONS and name in self), "duration")

    def check_durations(self, seconds: Sequence[float]) -> None:
        """Raises UserError if no eye can fixate so long, or so shortly, as most of these durations say."""
        usual = float(np.median(seconds)) if seconds else 0.2
        is_milliseconds = self.length == "duration_ms"
        if usual > LONGEST_SECONDS or (is_milliseconds and usual < SHORTEST_SECONDS):
            given, unit = usual / _SECONDS[self.length], "milliseconds" if is_milliseconds else "seconds"
            raise UserError(
                f"{self.path}: {self.length}: half of the fixations last longer than {given:g} {unit}, and half less. "
                f"Name the column {'duration' if is_milliseconds else 'duration_ms'}, or leave it out."
            )

    def values(self, line: int, row: list[str]) -> tuple[float, float, float, float, bool | None]:
        """Returns start, duration, x, y (NaN if missing) and whether the row is valid (None if missing)."""
        if len(row) < self._width or any(row[self._width :]):
            raise self.error(line, f"has {len(row)} fields where the header has {self._width}")
        start = self.number(line, row, self.clock) if self.clock else 0.0
        if self.clock == "frame" and start < 1:
            raise self.error(line, "frames are numbered from 1")
        if self.clock == "frame" and start % 1 > 0:
            raise self.error(line, f"frame {start:g} is not a whole number")
        duration = self.duration(line, row, self.length)
        start, duration = start * _SECONDS.get(self.clock, 1.0), duration * _SECONDS[self.length]
        valid = self.truth(line, row, "valid") if "valid" in self else True
        return start, duration, self.number(line, row, "x"), self.number(line, row, "y"), valid
