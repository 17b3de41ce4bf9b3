"""Data exports of Tobii Pro Lab and Tobii Studio (.tsv): any number of observers and films.

Fixations are read, or valid samples if the export has no eye movement types. The film's place is taken from the columns
MCSnorm, or from the position and size of the media, or from the size of the screen, whichever is there. A film starts
at the event VideoStimulusStart (Studio: MovieStart), or with its first row. Recording timestamps are milliseconds or
microseconds: their title tells, or the interval between samples. Sources: Tobii's manuals, public readers.
"""

import math
import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording
from data_pipelines.ingestion.gaze_formats.tobii_showings import Showing, Shown
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

_TITLES = {  # as `_plain` returns them
    "time": ("recording timestamp", "recordingtimestamp"),
    "media": ("presented media name", "medianame", "presented stimulus name"),
    "observer": ("participant name", "participantname"),
    "recording": ("recording name", "recordingname"),
    "event": ("event", "studioevent"),
    "movement": ("eye movement type", "gazeeventtype"),
    "fixation": ("eye movement type index", "eye movement event index", "fixationindex"),
    "left": ("presented media position x dacs", "presented media position x rcs", "mediaposx adcs"),
    "top": ("presented media position y dacs", "presented media position y rcs", "mediaposy adcs"),
    "width": ("presented media width", "mediawidth"),
    "height": ("presented media height", "mediaheight"),
    "screen_width": ("recording resolution width",),
    "screen_height": ("recording resolution height",),
    "screen": ("recordingresolution",),
    "valid_left": ("validity left", "validityleft"),
    "valid_right": ("validity right", "validityright"),
    "x_film": ("fixation point x mcsnorm", "gaze point x mcsnorm"),
    "y_film": ("fixation point y mcsnorm", "gaze point y mcsnorm"),
    "x_screen": ("fixation point x", "fixation point x dacs", "gaze point x", "gaze point x dacs", "gazepointx adcs"),
    "y_screen": ("fixation point y", "fixation point y dacs", "gaze point y", "gaze point y dacs", "gazepointy adcs"),
    "x_media": ("fixationpointx mcs", "fixation point x mcs", "gazepointx mcs", "gaze point x mcs"),
    "y_media": ("fixationpointy mcs", "fixation point y mcs", "gazepointy mcs", "gaze point y mcs"),
    "duration": ("gaze event duration", "eye movement event duration", "gazeeventduration"),
}
_POSITIONS = ("x_film", "y_film", "x_screen", "y_screen", "x_media", "y_media")
_SIZES = ("left", "top", "width", "height", "screen_width", "screen_height")
_SHORTEST_INTERVAL_US = 700  # between samples: 1200 Hz; in milliseconds, fixations are not as far apart
_LONGEST_FIXATION_MS = 10_000  # in microseconds, none is as short
_MOST_BACK_SECONDS = 0.1  # of a clock in one recording


def looks_like(path: Path, head: bytes) -> bool:
    titles = titles_in(head, _plain)
    return bool(titles & set(_TITLES["time"])) and any("point" in title for title in titles)


def read(path: Path, film: str) -> Recording:
    table = _Export(path, film)
    seconds, interval, has_fixations = table.survey()
    gaze = GazeRows()
    fixations: dict[tuple, _Fixation] = {}
    for line, row in table.rows():
        time = table.number(line, row, "time") * seconds
        whose = table.whose(row)
        showing = table.showing(whose, time, table.media(row))
        if showing is None or table.text(row, "event"):
            continue
        observer = whose[0] or whose[1] or path.stem
        x, y = table.position(line, row)
        if not has_fixations:
            gaze.add(showing.media, observer, time - showing.start, 0.0, x, y)
        elif (number := table.fixation(whose, row, (x, y))) and not math.isnan(x + y):
            key = (whose, showing.start, number)
            told = table.number(line, row, "duration") if "duration" in table else math.nan
            fixations.setdefault(key, _Fixation(showing, observer, told)).rows.append((time, x, y))
    for of in fixations.values():
        (start, *_), (last, *_) = of.rows[0], of.rows[-1]
        x, y = np.mean(of.rows, axis=0)[1:]
        length = last - start + interval
        if len(of.rows) == 1 and of.told > 0:  # an export of nothing but fixations
            length = of.told * (1e-3 if of.told < _LONGEST_FIXATION_MS else 1e-6)
        gaze.add(of.showing.media, of.observer, start - of.showing.start, length, x, y)
    what = "fixations" if has_fixations else "samples"
    return gaze.recording(lambda media: table.conventions(media, f"{what}, times from"))


def _plain(title: str) -> str:
    """Returns a title without units: `Gaze point X [DACS px]` and `Gaze point X (DACSpx)` -> gaze point x dacs."""
    text = re.sub(r"[\s\[\]()\"\ufeff]+", " ", title).casefold().replace("mcs norm", "mcsnorm")
    return re.sub(r"(px|\b(ms|[μu]s))(?= |$)", "", text).strip()


@dataclass
class _Fixation:
    """The rows (time, x, y) of a fixation, and its duration as the export states it; NaN if it does not."""

    showing: Showing
    observer: str
    told: float
    rows: list[tuple[float, float, float]] = field(default_factory=list)


@dataclass
class _Run:
    """Rows of one fixation, in an export that does not number fixations."""

    number: int = 0
    point: tuple[float, float] | None = None


class _Export(TextTable):
    """The columns of an export."""

    def __init__(self, path: Path, film: str):
        super().__init__(
            path, _TITLES, clocks=("time",), positions=_POSITIONS, others=(*_SIZES, "duration"), plain=_plain
        )
        self.require("time")
        self._eyes = [name for name in ("valid_left", "valid_right") if name in self]
        self._runs: dict[tuple[str, str], _Run] = {}
        self._film = film
        self._shown: dict[tuple[str, str], Shown] = {}
        self._starts: dict[tuple[str, str], list[float]] = {}
        self._screen: tuple[int, int] | None = None
        if "x_film" in self:
            self._system = "film"
        elif "x_screen" in self and {"left", "top", "width", "height"} <= self.places.keys():
            self._system = "placed"
        elif "x_media" in self and {"width", "height"} <= self.places.keys():
            self._system = "media"
        elif "x_media" in self:
            self._system = "unscaled"
        elif "x_screen" in self and ("screen" in self or "screen_width" in self):
            self._system = "screen"
        else:
            raise UserError(
                f"{path}: has no gaze of a film or of a screen of known size. Export the columns Gaze point (MCSnorm), "
                "or the media's position and size, or the recording's resolution."
            )

        x = self.places.get(f"x_{self._prefix}")
        self._has_fixation_points = x is not None and self.header[x].strip().casefold().startswith("fixation")

    @property
    def _prefix(self) -> str:
        return {"film": "film", "media": "media", "unscaled": "media"}.get(self._system, "screen")

    def whose(self, row: list[str]) -> tuple[str, str]:
        return self.text(row, "observer"), self.text(row, "recording")

    def media(self, row: list[str]) -> str:
        return self.text(row, "media") if "media" in self else self._film

    def survey(self) -> tuple[float, float, bool]:
        """Finds which films were shown when.

        Returns the clock's unit and the interval between samples, in seconds, and whether there are fixations.
        """
        last: dict[tuple[str, str], float] = {}
        current: dict[tuple[str, str], str] = {}
        seen: dict[tuple[str, str], float] = {}  # the last row with a film
        gone: dict[tuple[str, str], float] = {}  # the same, if rows without a film have followed
        intervals, changes, has_fixations, back = array("d"), [], False, (0.0, 0)
        for line, row in self.rows():
            time, whose, event = self.number(line, row, "time"), self.whose(row), self.text(row, "event")
            if math.isnan(time):
                continue
            back = max(back, (last.get(whose, time) - time, line))
            if event:
                changes.append((whose, time, "", event.replace(" ", "").casefold(), 0.0))
                current.pop(whose, None)
                continue
            intervals.append(time - last.get(whose, time))
            last[whose] = time
            media = self.media(row)
            if not media:
                current.pop(whose, None)
                gone.setdefault(whose, seen.get(whose, time))
            elif current.get(whose) != media:
                changes.append((whose, time, media, "", time - gone.get(whose, time)))
                current[whose] = media
            if media:
                seen[whose] = time
                gone.pop(whose, None)
            has_fixations |= self.text(row, "movement").casefold() == "fixation"
            self._screen = self._screen or self._size_of_screen(line, row)
        passed = np.array(intervals)
        interval = float(np.median(passed[passed > 0])) if (passed > 0).any() else 1.0
        unit = self.header[self.places["time"]].casefold().partition("timestamp")[2]
        is_micro = bool({"μs", "us"} & set(re.findall(r"\w+", unit)))
        if self.header[self.places["time"]].strip().casefold() == "recording timestamp":  # some versions name no unit
            is_micro = interval >= _SHORTEST_INTERVAL_US
        seconds = 1e-6 if is_micro else 1e-3
        if back[0] * seconds > _MOST_BACK_SECONDS:
            raise UserError(
                f"{self.path}, line {back[1]}: the clock goes back, as if another recording began. "
                "Export the columns Participant name and Recording name."
            )
        for whose, time, media, event, absence in changes:
            shown = self._shown.setdefault(whose, Shown())
            if event:
                shown.event(event, time * seconds)
            else:
                shown.row(media, time * seconds, absence * seconds)
        self._starts = {whose: [showing.start for showing in shown.showings] for whose, shown in self._shown.items()}
        return seconds, interval * seconds, has_fixations

    def _size_of_screen(self, line: int, row: list[str]) -> tuple[int, int] | None:
        both = re.findall(r"\d+", self.text(row, "screen"))
        if len(both) == 2:
            return int(both[0]), int(both[1])
        width, height = (
            self.number(line, row, name) if name in self else math.nan for name in ("screen_width", "screen_height")
        )
        return None if math.isnan(width + height) else (round(width), round(height))

    def showing(self, whose: tuple[str, str], time: float, media: str) -> Showing | None:
        """Returns the film that a recording shows in a row; None if it shows none."""
        place = bisect_right(self._starts.get(whose, []), time) - 1
        now = self._shown[whose].showings[place] if place >= 0 else None
        return now if now and now.media == media and time < now.end else None

    def fixation(self, whose: tuple[str, str], row: list[str], point: tuple[float, float]) -> str:
        """Returns the name of the fixation that a row belongs to, empty if it belongs to none. Call it in order."""
        kind, run = self.text(row, "movement").casefold(), self._runs.setdefault(whose, _Run())
        if kind != "fixation":
            run.number += bool(kind)
            return ""
        if run.point not in (None, point) and self._has_fixation_points:
            run.number += 1
        run.point = point
        return self.text(row, "fixation") or f"run {run.number}"

    def position(self, line: int, row: list[str]) -> tuple[float, float]:
        """Returns x and y, as fractions of the film, or in pixels of the screen if its place is unknown."""
        if self._eyes and all(self._is_invalid(self.text(row, eye)) for eye in self._eyes):
            return math.nan, math.nan
        x, y = (self.number(line, row, f"{axis}_{self._prefix}") for axis in "xy")
        if self._system in ("placed", "media"):
            width, height = (self.number(line, row, name) for name in ("width", "height"))
            if not min(width, height) > 0:
                return math.nan, math.nan
            if self._system == "placed":
                x, y = (value - self.number(line, row, name) for value, name in ((x, "left"), (y, "top")))
            x, y = x / width, y / height
        return x, y

    @staticmethod
    def _is_invalid(text: str) -> bool:
        """Returns whether an eye was not found: Invalid in Pro Lab, 2 to 4 in Studio."""
        return text.casefold() == "invalid" or re.sub(r"[.,]0*$", "", text) in ("2", "3", "4")

    def conventions(self, media: str, what: str) -> Conventions:
        showings = [showing for shown in self._shown.values() for showing in shown.showings if showing.media == media]
        by_event = all(showing.by_event for showing in showings)
        clock = f"{what} {'the event of the film' if by_event else 'the first row of each film'}"
        if self._system == "screen":
            return Conventions("Tobii", "pixels", Viewing(screen=self._screen), clock)
        on_film = Viewing(measured_on_film=True)
        if self._system == "unscaled":
            return Conventions("Tobii", "pixels", on_film, f"by MCSpx; {clock}")
        place = {"film": "MCSnorm", "placed": "position and size of the media", "media": "size of the media"}
        return Conventions("Tobii", "fraction", on_film, f"by {place[self._system]}; {clock}")
