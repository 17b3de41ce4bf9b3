"""Finds what an EyeLink experiment showed when, from its messages. `eyelink_asc` lists those that are understood."""

import re
from dataclasses import dataclass, field

import numpy as np

from data_pipelines.ingestion.film_names import OR
from data_pipelines.ingestion.gaze_formats import messages

_FRAME = re.compile(r"!V VFRAME\s+(\d+)\s+(-?\d+)\s+(-?\d+)\s*(.*)")
_VARIABLE = re.compile(r"!V TRIAL_VAR\s+(\S+)\s+(.+)")
START_MESSAGES = ("START", "messages with its name", "SYNCTIME", "messages of the film's start", "VFRAME")
_START, _NAMED, _DISPLAYED, _STARTED, _FRAMED = range(len(START_MESSAGES))  # the last one of a trial counts
_SOON_MS = 1000  # some experiments send a message twice


@dataclass
class Showing:
    """The time in which a film is shown. `rank`: which of START_MESSAGES told its start; times in milliseconds.

    `told`: the message of the start. The same message again is another showing of the film.
    """

    start: float
    rank: int
    film: str = ""
    corner: tuple[float, float] | None = None
    end: float = np.inf
    first_frame: int = 1
    last_frame: int = 0
    told: str = ""


@dataclass
class _Trial:
    film: str = ""
    began: float = np.nan
    ended: float = np.nan
    showings: list[Showing] = field(default_factory=list)


class Script:
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
        """Reads the line START, after which samples follow. `time`: milliseconds, as below."""
        if not np.isnan(self.trials[-1].ended):
            self.new_trial()
        self.trials[-1].began = time

    def block_ends(self, time: float) -> None:
        """Reads the line END, after which there are no samples until the next START."""
        self.trials[-1].ended = time
        self._end(time)

    def message(self, time: float, text: str) -> None:
        """Reads a message of the experiment. Messages that are not understood have no effect."""
        film = messages.film_in(text)
        if frame := _FRAME.search(text):
            self._frame(time, int(frame[1]), messages.film_before(frame[4]), (float(frame[2]), float(frame[3])))
        elif messages.starts_trial(text):
            self.new_trial(time)
            self._has_trials = True
            self.trials[-1].film = messages.names_in(text)
        elif messages.ends_trial(text):
            self._end(time)
        elif variable := _VARIABLE.search(text):
            about = set(messages.words_of(variable[1]))
            if film or (about & messages.SHOWN and not self.trials[-1].film):
                self.trials[-1].film = messages.film_before(variable[2]) or variable[2].strip()
        elif messages.starts_film(text):
            self._starts(time, _STARTED, messages.names_in(text), told=text)
        elif messages.ends_film(text):
            self._end(time)
        elif messages.starts_display(text):
            self._starts(time, _DISPLAYED, messages.names_in(text), told=text)
        elif film:
            trial = self.trials[-1]
            if not (np.isnan(trial.ended) or self._has_trials):
                self.new_trial()
            elif not np.isnan(trial.began) and np.isnan(trial.ended):
                self._starts(time, _NAMED, messages.names_in(text))
            self.trials[-1].film = messages.names_in(text)

    def _frame(self, time: float, number: int, film: str, corner: tuple[float, float]) -> None:
        showings = self.trials[-1].showings
        if showings and number < showings[-1].last_frame:  # the film is shown again
            self._end(time)
        self._starts(time, _FRAMED, film, corner)
        showing = showings[-1]
        showing.last_frame = number
        if showing.start == time:
            showing.first_frame = max(number, 1)
        elif showing.first_frame > 1 and number > showing.first_frame:  # some frames have no message
            showing.start -= (showing.first_frame - 1) * (time - showing.start) / (number - showing.first_frame)
            showing.first_frame = 1

    def _starts(
        self, time: float, rank: int, film: str, corner: tuple[float, float] | None = None, told: str = ""
    ) -> None:
        showings = self.trials[-1].showings
        last = showings[-1] if showings and showings[-1].end == np.inf else None
        if last is None or (last.rank == rank and film and self._is_another(last, time, film, told)):
            self._end(time)
            showings.append(Showing(time, rank, film, corner, told=told))
        elif last.rank < rank:
            last.start, last.rank, last.film, last.corner, last.told = time, rank, film or last.film, corner, told

    @staticmethod
    def _is_another(last: Showing, time: float, film: str, told: str) -> bool:
        is_repeated = bool(told) and told == last.told and time - last.start > _SOON_MS
        return is_repeated or messages.is_other_film(film, last.film)

    def _end(self, time: float) -> None:
        for showing in self.trials[-1].showings:
            showing.end = min(showing.end, time)

    def showings(self, film: str) -> list[Showing]:
        """Returns what was shown, in order. Raises ValueError if a trial does not tell which film is which.

        Args:
          film: the film, if no message names it.
        """
        found = []
        has_starts = any(trial.showings for trial in self.trials)
        for trial in self.trials:
            if not has_starts and not np.isnan(trial.began):
                trial.showings.append(Showing(trial.began, _START, "", None, trial.ended))
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
