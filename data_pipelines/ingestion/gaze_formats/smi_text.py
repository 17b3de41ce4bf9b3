"""Text of SMI trackers: IDF Converter and BeGaze raw data, with or without the lines of settings that begin with ##.

Samples within fixations are read, or all samples if the file has no eye movements; two eyes are averaged. The screen is
the calibration area, its size in millimetres and the viewing distance give the size of a degree. A film is named by the
column Stimulus, or by a message with its file name; it starts with that message, or with its first row. Times are
microseconds, and milliseconds in RecordingTime [ms]. Sources: SMI's manuals, public readers. DHF1K's records have a
reader of their own.
"""

import math
import re
from pathlib import Path

from data_pipelines.ingestion.delimited_text import first_lines, open_gaze_text
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats import messages
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, mean_of_eyes, observer_of
from data_pipelines.ingestion.gaze_formats.smi_events import FIXATION
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

COMMENT = "##"
_EYES = ("left", "right")
_TITLES = {
    "time": ("time", "recordingtime [ms]"),
    "kind": ("type",),
    "media": ("stimulus",),
    "trial": ("trial",),
    "observer": ("participant", "subject"),
    **{f"x_{eye}": (f"{eye[0]} por x [px]", f"point of regard {eye} x [px]") for eye in _EYES},
    **{f"y_{eye}": (f"{eye[0]} por y [px]", f"point of regard {eye} y [px]") for eye in _EYES},
    **{f"event_{eye}": (f"{eye[0]} event info", f"category {eye}", "info", "category binocular") for eye in _EYES},
}
_POSITIONS = tuple(f"{axis}_{eye}" for axis in "xy" for eye in _EYES)
_SETTING = re.compile(r"##\s*([^:]+?)(?: \[mm\])?\s*:\s*(.*)")
SOON_SECONDS = 1.0  # between a message and the film's first row


def looks_like(path: Path, head: bytes) -> bool:
    lines = [line for line in first_lines(head) if line.strip()]
    titles = next((line for line in lines if not line.startswith(COMMENT)), "").casefold()
    return ("por x [px]" in titles or "point of regard" in titles) and "time" in titles


def read(path: Path, film: str) -> Recording:
    table = TextTable(path, _TITLES, clocks=("time",), positions=_POSITIONS, comment=COMMENT)
    table.require("time")
    settings = _settings(path)
    second = 1e-3 if "[ms]" in table.header[table.places["time"]].casefold() else 1e-6
    eyes = [eye for eye in _EYES if {f"x_{eye}", f"y_{eye}"} <= table.places.keys()]
    if not eyes:
        raise UserError(f"{path}: has no column POR X [px] or Point of Regard. Export the point of regard.")
    has_fixations = any(_is_fixation(table, row, eyes) for _, row in table.rows())
    clocks: dict[str, _Clock] = {}
    gaze = GazeRows()
    for line, row in table.rows():
        observer = table.text(row, "observer") or settings.get("subject") or observer_of(path, film)
        clock = clocks.get(observer) or clocks.setdefault(observer, _Clock(table, film))
        time = table.number(line, row, "time") * second
        if table.text(row, "kind").upper() == "MSG":
            clock.message(time, " ".join(row))
            continue
        video = clock.video(time, table.text(row, "media"), table.text(row, "trial"))
        if not video or (has_fixations and not _is_fixation(table, row, eyes)):
            continue
        moving = [
            eye for eye in eyes if has_fixations and f"event_{eye}" in table and not _is_fixation(table, row, [eye])
        ]
        looking = [eye for eye in eyes if eye not in moving]
        first, last = (
            (table.number(line, row, f"x_{eye}"), table.number(line, row, f"y_{eye}"))
            for eye in (looking[0], looking[-1])
        )
        gaze.add(video, observer, time - clock.start, 0.0, *mean_of_eyes(first, last))
    what = "samples within fixations" if has_fixations else "samples"
    told = (
        "messages of the film's start"
        if any(clock.by_message for clock in clocks.values())
        else "the first row of each film"
    )
    viewing = _viewing(settings)
    what += "" if viewing.screen else ", screen unknown"
    conventions = Conventions("SMI", "pixels", viewing, f"{what}, times from {told}")
    return gaze.recording(lambda video: conventions)


class _Clock:
    """Which film an observer is shown, and since when. `start`: in seconds of the recording."""

    def __init__(self, table: TextTable, film: str):
        self.start, self.by_message = math.nan, False
        self._has_stimuli = "media" in table
        names = "" if self._has_stimuli else "".join(_message(table, row) for _, row in table.rows())
        self._shown = "" if self._has_stimuli or messages.film_in(names) else film
        self._told, self._text, self._trial = ("", math.nan), "", ""

    def message(self, time: float, text: str) -> None:
        text = (text.partition("Message:")[2] or text).strip()
        film = messages.names_in(text) if messages.film_in(text) else ""
        if messages.ends_film(text):
            self._shown = "" if not self._has_stimuli else self._shown
        elif film or messages.starts_film(text):
            is_about_it = film and self._shown and not messages.is_other_film(film, self._shown)
            if is_about_it and text != self._text and not messages.starts_film(text):
                return
            self._told, self._text = (film, time), text
            if not self._has_stimuli:
                self._shown = film or self._shown
                self.start, self.by_message = time, True

    def video(self, time: float, stimulus: str, trial: str) -> str:
        """Returns the film shown at the next sample, empty if there is none."""
        if self._has_stimuli and (stimulus, trial) != (self._shown, self._trial):
            film, told = self._told
            by_message = time - told <= SOON_SECONDS and (not film or stimulus.casefold() in film.casefold())
            self.start = told if by_message else time
            self.by_message |= by_message
            self._shown, self._trial = stimulus, trial
        elif math.isnan(self.start):
            self.start = time
        return "" if self._shown == "-" else self._shown


def _message(table: TextTable, row: list[str]) -> str:
    return " ".join(row) + "\n" if table.text(row, "kind").upper() == "MSG" else ""


def _is_fixation(table: TextTable, row: list[str], eyes: list[str]) -> bool:
    return any(table.text(row, f"event_{eye}").casefold() in FIXATION for eye in eyes)


def _settings(path: Path) -> dict[str, str]:
    """Returns the settings before the header, by their names in small letters."""
    settings = {}
    with open_gaze_text(path) as file:
        for line in file:
            if line.strip() and not line.startswith(COMMENT):
                break
            if setting := _SETTING.fullmatch(line.strip()):
                settings[setting[1].casefold()] = setting[2].strip()
    return settings


def _viewing(settings: dict[str, str]) -> Viewing:
    area, sizes, distance = (
        [float(number) for number in re.findall(r"\d+(?:\.\d+)?", settings.get(name, ""))]
        for name in ("calibration area", "stimulus dimension", "head distance")
    )
    screen = (round(area[0]), round(area[1])) if len(area) == 2 and min(area) >= 1 else None
    if len(sizes) != 2 or len(distance) != 1 or not min(*sizes, *distance) > 0:
        return Viewing(screen=screen)
    return Viewing(screen=screen, screen_width_cm=sizes[0] / 10, distance_cm=distance[0] / 10)
