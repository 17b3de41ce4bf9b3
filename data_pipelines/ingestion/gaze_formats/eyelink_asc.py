"""EyeLink recordings as text, which edf2asc writes from .edf: one observer, one or many films.

Fixations (EFIX) of one eye are read, or samples if there are none. Times are milliseconds, positions pixels of the
screen that GAZE_COORDS or DISPLAY_COORDS tells. Messages that are understood:
  TRIALID, TRIAL_RESULT              start and end of a trial; without them, START and END
  !V VFRAME number x y film          a frame of a film; the first tells the film, its start and its upper left corner
  VIDEO_START, movie_onset one.mp4   start of a film; likewise its end (`messages`)
  SYNCTIME, DISPLAY ON               start of what the trial shows, if no film's start is told
  one.mp4, and any other message with a film's file name: what the trial shows, and its start if nothing else tells it
  !V TRIAL_VAR video one.mp4, TRIALID one: what the trial shows
A number before a message is how much later than its event it was sent. Sources: the EyeLink manuals, public readers.
"""

import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.delimited_text import first_lines, not_text, open_text
from data_pipelines.ingestion.film_names import OR
from data_pipelines.ingestion.gaze import Known
from data_pipelines.ingestion.gaze_formats import messages
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, mean_of_eyes, observer_of
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

_FIRST = re.compile(r"\*\* (CONVERTED FROM|VERSION: EYELINK)|(MSG|START|PRESCALER|SAMPLES|EVENTS)\s")
_FRAME = re.compile(r"!V VFRAME\s+(\d+)\s+(-?\d+)\s+(-?\d+)\s*(.*)")
_VARIABLE = re.compile(r"!V TRIAL_VAR\s+(\S+)\s+(.+)")
_DELAY = re.compile(r"(-?\d+)\s+(?=\D)")
_COORDINATES = re.compile(r"(?:GAZE|DISPLAY)_COORDS\s+=?\s*([\d.-]+)[\s,]+([\d.-]+)[\s,]+([\d.-]+)[\s,]+([\d.-]+)")
_START_MESSAGES = ("START", "messages with its name", "SYNCTIME", "messages of the film's start", "VFRAME")
_START, _NAMED, _DISPLAYED, _STARTED, _FRAMED = range(len(_START_MESSAGES))  # the last one of a trial counts


@dataclass
class _Showing:
    """The time in which a film is shown. `rank`: which of _START_MESSAGES told its start; times in milliseconds."""

    start: float
    rank: int
    film: str = ""
    corner: tuple[float, float] | None = None
    end: float = np.inf
    first_frame: int = 1


@dataclass
class _Trial:
    film: str = ""
    began: float = np.nan
    ended: float = np.nan
    showings: list[_Showing] = field(default_factory=list)


class _Script:
    """What was shown when, from the messages in their order."""

    def __init__(self) -> None:
        self.trials = [_Trial()]
        self._has_trials = False

    def new_trial(self, time: float = np.nan) -> None:
        """Begins a trial. `time`: when, if it may be in the midst of a recording."""
        last = self.trials[-1]
        is_recording = not np.isnan(last.began) and np.isnan(last.ended)
        self.trials.append(_Trial(began=time if is_recording else np.nan))
        if is_recording:
            last.ended = time
            if not last.showings:
                last.began = np.nan

    def block_starts(self, time: float) -> None:
        if not np.isnan(self.trials[-1].ended):
            self.new_trial()
        self.trials[-1].began = time

    def block_ends(self, time: float) -> None:
        self.trials[-1].ended = time
        self._end(time)

    def message(self, time: float, text: str) -> None:
        film = messages.film_in(text)
        words = messages.words_of(text)
        if frame := _FRAME.search(text):
            self._frame(time, int(frame[1]), messages.film_before(frame[4]), (float(frame[2]), float(frame[3])))
        elif words[:1] == ["trialid"] or (words[:1] == ["trial"] and set(words) & {"id", "start", "begin", "onset"}):
            self.new_trial(time)
            self._has_trials = True
            self.trials[-1].film = messages.names_in(text)
        elif words[:1] == ["trial"] and set(words) & {"result", "ok", "end", "stop", "offset"}:
            self._end(time)
        elif variable := _VARIABLE.search(text):
            about = set(messages.words_of(variable[1]))
            if film or (about & messages.SHOWN and not self.trials[-1].film):
                self.trials[-1].film = messages.film_before(variable[2]) or variable[2].strip()
        elif messages.starts_film(text):
            self._starts(time, _STARTED, messages.names_in(text))
        elif messages.ends_film(text):
            self._end(time)
        elif messages.starts_display(text):
            self._starts(time, _DISPLAYED, messages.names_in(text))
        elif film:
            trial = self.trials[-1]
            if not (np.isnan(trial.ended) or self._has_trials):
                self.new_trial()
            elif not np.isnan(trial.began) and np.isnan(trial.ended):
                self._starts(time, _NAMED, messages.names_in(text))
            self.trials[-1].film = messages.names_in(text)

    def _frame(self, time: float, number: int, film: str, corner: tuple[float, float]) -> None:
        self._starts(time, _FRAMED, film, corner)
        showing = self.trials[-1].showings[-1]
        if showing.start == time:
            showing.first_frame = max(number, 1)
        elif showing.first_frame > 1 and number > showing.first_frame:  # some frames were not told
            showing.start -= (showing.first_frame - 1) * (time - showing.start) / (number - showing.first_frame)
            showing.first_frame = 1

    def _starts(self, time: float, rank: int, film: str, corner: tuple[float, float] | None = None) -> None:
        showings = self.trials[-1].showings
        last = showings[-1] if showings and showings[-1].end == np.inf else None
        if last is None or (last.rank == rank and film and film != last.film):
            self._end(time)
            showings.append(_Showing(time, rank, film, corner))
        elif last.rank < rank:
            last.start, last.rank, last.film, last.corner = time, rank, film or last.film, corner

    def _end(self, time: float) -> None:
        for showing in self.trials[-1].showings:
            showing.end = min(showing.end, time)

    def showings(self, film: str) -> list[_Showing]:
        """Returns what was shown, in order. Raises ValueError if a trial does not tell which film is which.

        Args:
          film: the film, if no message names it.
        """
        found = []
        has_starts = any(trial.showings for trial in self.trials)
        for trial in self.trials:
            if not has_starts and not np.isnan(trial.began):
                trial.showings.append(_Showing(trial.began, _START, "", None, trial.ended))
            unnamed = [showing for showing in trial.showings if not showing.film]
            if len(unnamed) > 1:
                raise ValueError(f"{unnamed[1].start:g}")
            for showing in trial.showings:
                names = [showing.film or trial.film]
                if not messages.film_in(names[0]):  # no message names a film for sure
                    names += [trial.film, film]
                showing.film = OR.join(dict.fromkeys(filter(None, names)))
            found += trial.showings
        return found


def looks_like(path: Path, head: bytes) -> bool:
    lines = [line for line in first_lines(head)[:50] if line.strip()]
    of_tracker = [line for line in lines if _FIRST.match(line)]
    return bool(of_tracker) and (path.suffix.lower() == ".asc" or of_tracker[0] == lines[0])


def read(path: Path, film: str) -> Recording:
    recorded = _Recorded()
    try:
        with open_text(path) as file:
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
        raise UserError(f"{path}: no message at {error} tells which film starts. Add its name there.") from None
    if not showings:
        raise UserError(f"{path}: has no START line, so the recording is empty. Convert the .edf file again.")
    return _on_films(path, showings, recorded)


class _NotGazeError(ValueError):
    """Positions are not on the screen."""


class _Recorded:
    """The content of a file. `screen`: its size in pixels."""

    def __init__(self) -> None:
        self.script = _Script()
        self.screen: tuple[int, int] | None = None
        self.has_fixations, self.samples = False, array("d")
        self.fixations = {"L": array("d"), "R": array("d")}
        self._origin, self._num_eyes = (0.0, 0.0), 1

    def read(self, line: str) -> None:
        """Reads the next line. Raises ValueError, IndexError or KeyError if it is not understood."""
        parts = line.split(None, 2)
        kind = parts[0] if parts else ""
        if kind[:1].isdigit() and not self.has_fixations:
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
            self.script.block_starts(float(parts[1]))
        elif kind == "END":
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

    def gaze(self) -> tuple[np.ndarray, str]:
        """Returns start and duration in milliseconds, x and y [N, 4], and what the rows are, for the user."""
        side = max("LR", key=lambda side: len(self.fixations[side]))
        rows = self.fixations[side] if self.has_fixations else self.samples
        what = f"fixations of the {'left' if side == 'L' else 'right'} eye" if self.has_fixations else "samples"
        return np.array(rows).reshape(-1, 4) - (0, 0, *self._origin), what


def _on_films(path: Path, showings: list[_Showing], recorded: _Recorded) -> Recording:
    rows, what = recorded.gaze()
    starts, ends = rows[:, 0], rows[:, 0] + rows[:, 1]
    gaze = GazeRows()
    known: dict[str, Known] = {}
    for showing, later in zip(showings, [*(later.start for later in showings[1:]), np.inf], strict=True):
        place = Viewing(screen=recorded.screen, corner=showing.corner)
        of_film = Known("EyeLink", "pixels", place, f"{what}, times from {_START_MESSAGES[showing.rank]}")
        if known.setdefault(showing.film, of_film).viewing != place:
            raise UserError(f"{path}: shows {showing.film!r} in two ways. Split the file into one for each.")
        until = min(showing.end, later)
        shown = (starts < until) & ((ends > showing.start) | (starts == showing.start))
        observer = observer_of(path, showing.film)
        for start, duration, x, y in rows[shown].tolist():
            begin, end = max(start, showing.start), min(start + duration, until)
            gaze.add(showing.film, observer, (begin - showing.start) / 1e3, max(end - begin, 0) / 1e3, x, y)
    return gaze.recording(known.__getitem__)


def _length(difference: float) -> int:
    """Returns a side of the screen in pixels. Its last pixel is told, or, by some programs, its length."""
    return round(difference) + round(difference) % 2


def _number(text: str) -> float:
    return np.nan if text == "." else float(text)
