"""EyeLink recordings as text, which edf2asc writes from .edf: one observer, one or many films.

Fixations (EFIX) of one eye are read, or samples if there are none. Times are milliseconds, positions pixels of the
screen that GAZE_COORDS or DISPLAY_COORDS states. Messages that are understood:
  TRIALID, TRIAL_RESULT              start and end of a trial; without them, START and END
  !V VFRAME number x y film          a frame of a film; the first states the film, its start and its upper left corner
  VIDEO_START, movie_onset one.mp4   start of a film; likewise its end (`messages`)
  SYNCTIME, DISPLAY ON               start of what the trial shows, if no message states a film's start
  one.mp4, and any other message with a film's file name: what the trial shows, and its start if nothing else states it
  !V TRIAL_VAR video one.mp4, TRIALID one: what the trial shows
A number before a message is how much later than its event it was sent. Sources: the EyeLink manuals, public readers.
"""

import re
from array import array
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.delimited_text import first_lines, not_text, open_gaze_text
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.eyelink_script import START_MESSAGES, Script, Showing
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, mean_of_eyes, observer_of
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

_FIRST = re.compile(r"\*\* (CONVERTED FROM|VERSION: EYELINK)|(MSG|START|PRESCALER|SAMPLES|EVENTS)\s")
_DELAY = re.compile(r"(-?\d+)\s+(?=\D)")
_COORDINATES = re.compile(r"(?:GAZE|DISPLAY)_COORDS\s+=?\s*([\d.-]+)[\s,]+([\d.-]+)[\s,]+([\d.-]+)[\s,]+([\d.-]+)")
_EYES = {"L": "left", "R": "right"}


def looks_like(path: Path, head: bytes) -> bool:
    lines = [line for line in first_lines(head)[:50] if line.strip()]
    of_tracker = [line for line in lines if _FIRST.match(line)]
    return bool(of_tracker) and (path.suffix.lower() == ".asc" or of_tracker[0] == lines[0])


def read(path: Path, film: str) -> Recording:
    recorded = _Recorded()
    try:
        with open_gaze_text(path) as file:
            for number, line in enumerate(file, start=1):
                try:
                    recorded.read(line)
                except (ValueError, IndexError, KeyError) as error:
                    fault = (
                        str(error) if isinstance(error, _NotGazeError) else f"{line.strip()[:60]!r} is not understood"
                    )
                    raise UserError(f"{path}, line {number}: {fault}. Convert the .edf file again.") from None
    except UnicodeError:
        raise not_text(path) from None
    if recorded.screen is None:
        raise UserError(
            f"{path}: has no GAZE_COORDS or DISPLAY_COORDS, so the screen's size is unknown. Add that line."
        )
    try:
        showings = recorded.script.showings(film)
    except ValueError as error:
        raise UserError(f"{path}: no message at {error} says which film starts. Add its name there.") from None
    if not showings:
        raise UserError(f"{path}: has no START line, so the recording is empty. Convert the .edf file again.")
    return _on_films(path, showings, recorded)


class _NotGazeError(ValueError):
    """Positions are not on the screen."""


class _Recorded:
    """The content of a file. `screen`: its size in pixels."""

    def __init__(self) -> None:
        self.script = Script()
        self.screen: tuple[int, int] | None = None
        self.has_fixations, self.samples = False, array("d")
        self.fixations = {"L": array("d"), "R": array("d")}
        self._origin, self._num_eyes, self._is_recording = (0.0, 0.0), 1, False

    def read(self, line: str) -> None:
        """Reads the next line. Raises ValueError, IndexError or KeyError if it is not understood."""
        parts = line.split(None, 2)
        kind = parts[0] if parts else ""
        if line[:1].isdigit() and self._is_recording and not self.has_fixations:
            values = line.split()
            eyes = [(_number(values[3 * eye + 1]), _number(values[3 * eye + 2])) for eye in range(self._num_eyes)]
            self.samples.extend((float(kind), 0.0, *mean_of_eyes(eyes[0], eyes[-1])))
        elif kind == "MSG":
            self._message(float(parts[1]), parts[2].strip() if len(parts) > 2 else "")
        elif kind == "EFIX":
            if not self.has_fixations:
                self.has_fixations, self.samples = True, array("d")
            start, _, duration, x, y = (_number(value) for value in parts[2].split()[:5])
            if duration < 0:
                raise ValueError(duration)
            self.fixations[parts[1]].extend((start, duration, x, y))
        elif kind == "START":
            self._is_recording = True
            self.script.block_starts(float(parts[1]))
        elif kind == "END":
            self._is_recording = False  # a calibration may follow, whose lines of numbers are no samples
            self.script.block_ends(float(parts[1]))
        elif kind in ("SAMPLES", "EVENTS"):
            if parts[1] != "GAZE":
                raise _NotGazeError(f"positions are {parts[1]}, not GAZE")
            if kind == "SAMPLES":
                self._num_eyes = 2 if {"LEFT", "RIGHT"} <= set(line.split()) else 1

    def _message(self, time: float, text: str) -> None:
        if delay := _DELAY.match(text):
            time, text = time - float(delay[1]), text[delay.end() :]
        if coordinates := _COORDINATES.search(text):
            left, top, right, bottom = map(float, coordinates.groups())
            self.screen, self._origin = (_length(right - left), _length(bottom - top)), (left, top)
        else:
            self.script.message(time, text)

    def gaze(self) -> dict[str, np.ndarray]:
        """Returns what rows are, for the user -> start and duration in milliseconds, x and y [N, 4].

        The eye with more fixations comes first.
        """
        tracks = {"samples": self.samples}
        if self.has_fixations:
            sides = sorted("LR", key=lambda side: -len(self.fixations[side]))
            tracks = {f"fixations of the {_EYES[side]} eye": self.fixations[side] for side in sides}
        return {what: np.array(rows).reshape(-1, 4) - (0, 0, *self._origin) for what, rows in tracks.items()}


def _on_films(path: Path, showings: list[Showing], recorded: _Recorded) -> Recording:
    tracks = recorded.gaze()
    gaze = GazeRows()
    conventions: dict[str, Conventions] = {}
    for showing, later in zip(showings, [*(later.start for later in showings[1:]), np.inf], strict=True):
        until = min(showing.end, later)
        shown = {what: _rows_between(rows, showing.start, until) for what, rows in tracks.items()}
        what = next((what for what, rows in shown.items() if len(rows)), next(iter(shown)))  # eyes may change
        place = Viewing(screen=recorded.screen, corner=showing.corner)
        of_film = Conventions("EyeLink", "pixels", place, f"{what}, times from {START_MESSAGES[showing.rank]}")
        if conventions.setdefault(showing.film, of_film).viewing != place:
            raise UserError(f"{path}: shows {showing.film!r} in two ways. Split the file into one for each.")
        observer = observer_of(path, showing.film)
        for start, duration, x, y in shown[what].tolist():
            begin, end = max(start, showing.start), min(start + duration, until)
            gaze.add(showing.film, observer, (begin - showing.start) / 1e3, max(end - begin, 0) / 1e3, x, y)
    return gaze.recording(conventions.__getitem__)


def _rows_between(rows: np.ndarray, start: float, end: float) -> np.ndarray:
    starts, ends = rows[:, 0], rows[:, 0] + rows[:, 1]
    return rows[(starts < end) & ((ends > start) | (starts == start))]


def _length(difference: float) -> int:
    """Returns a side of the screen in pixels. Some programs write its last pixel, others its length."""
    return round(difference) + round(difference) % 2


def _number(text: str) -> float:
    return np.nan if text == "." else float(text)
