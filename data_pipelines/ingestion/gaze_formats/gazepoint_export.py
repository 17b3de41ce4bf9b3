"""Exports of Gazepoint Analysis, `User 0_all_gaze.csv` and `User 0_fixations.csv`: one observer, any number of films.

Fixations are read (FPOGX, FPOGY, FPOGS, FPOGD, FPOGID), each once, or valid samples (BPOGX, BPOGY) if they are missing.
Positions are fractions of the screen, which the film is taken to fill; if it does not, give --screen. Times are seconds
and start again with each film (MEDIA_NAME); if they go on instead, a film starts with its first row. Sources: the
Gazepoint API, public readers.
"""

import math
import re
from pathlib import Path

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, observer_of
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.runtime.errors import UserError

_TITLES = {
    "time": ("time",),
    "media": ("media_name",),
    "media_number": ("media_id",),
    "observer": ("user_name",),  # USER holds marks that the experiment sets
    "x": ("fpogx",),
    "y": ("fpogy",),
    "start": ("fpogs",),
    "duration": ("fpogd",),
    "fixation": ("fpogid",),
    "valid": ("fpogv",),
    "sample_x": ("bpogx", "fpogx"),
    "sample_y": ("bpogy", "fpogy"),
    "sample_valid": ("bpogv", "fpogv"),
}
_FILE = re.compile(r"(.*?)[_ -]*(all_gaze|fixations)", re.IGNORECASE)
_RESTART_SECONDS = 1.0  # a film's clock begins with less
_MOST_BACK_SECONDS = 0.1  # of a clock that goes on


def looks_like(path: Path, head: bytes) -> bool:
    titles = titles_in(head, _plain)
    return "time" in titles and bool({"fpogx", "bpogx"} & titles)


def better_file(path: Path) -> Path | None:
    """Returns the file of the fixations that belong to a file of all gaze."""
    return path.with_name(re.sub("all_gaze", "fixations", path.name, flags=re.IGNORECASE))


def _plain(title: str) -> str:
    """Returns a title without what the export adds: TIME(2024/01/27 09:39:32.995) -> time."""
    return title.strip('" \ufeff').casefold().partition("(")[0].strip()


def read(path: Path, film: str) -> Recording:
    table = TextTable(
        path,
        _TITLES,
        clocks=("time", "start"),
        positions=("x", "y", "sample_x", "sample_y"),
        others=("duration",),
        plain=_plain,
    )
    table.require("time", "sample_x", "sample_y")
    has_fixations = {"x", "y", "start", "duration", "fixation"} <= table.places.keys()
    name = _FILE.fullmatch(path.stem)
    whose = (name[1] if name else "") or observer_of(path, film)
    gaze, fixations = GazeRows(), {}
    media, start, last, goes_on, numbers = None, 0.0, math.nan, False, set()
    num_showings = 0
    for line, row in table.rows():
        time, shown = table.number(line, row, "time"), table.text(row, "media")
        if math.isnan(time):
            continue
        numbers.add(table.text(row, "media_number"))
        if shown != media or time < last - _MOST_BACK_SECONDS:
            media, restarts, num_showings = shown, time < _RESTART_SECONDS, num_showings + 1
            start = 0.0 if restarts else time
            goes_on |= not restarts
        last = time
        video, observer = shown or film, table.text(row, "observer") or whose
        if has_fixations:
            if table.truth(line, row, "valid") is not False:
                begin, x, y = (table.number(line, row, column) for column in ("start", "x", "y"))
                length = table.duration(line, row, "duration")
                fixations[video, observer, num_showings, table.text(row, "fixation")] = (begin - start, length, x, y)
        elif table.truth(line, row, "sample_valid") is not False:
            x, y = table.number(line, row, "sample_x"), table.number(line, row, "sample_y")
            gaze.add(video, observer, time - start, 0.0, x, y)
    if "media" not in table and len(numbers) > 1:
        raise UserError(f"{path}: has {len(numbers)} media without names. Export MEDIA_NAME, or one film a file.")
    for (video, observer, *_), fixation in fixations.items():  # the last row of a fixation has its whole duration
        gaze.add(video, observer, *fixation)
    clock = "the first row of each film" if goes_on else "the start of each film"
    what = f"{'fixations' if has_fixations else 'samples'}, the film fills the screen, times from {clock}"
    conventions = Conventions("Gazepoint", "fraction", clock=what)
    return gaze.recording(lambda video: conventions)
