"""Eye samples of PsychoPy's ioHub as .csv: the tables MonocularEyeSampleEvent and BinocularEyeSampleEvent of its .hdf5.

Positions are pixels from the centre of the window, upwards, which the film's centre is taken to be; the film is shown
at its own size. Positions in other units of PsychoPy are refused, because the file does not tell which. Eyes that the
column `status` calls lost are left out. The film starts with the file's first row: export one film a file. Source:
PsychoPy's documentation of ioHub.
"""

import math
from pathlib import Path

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze import LARGEST_FRACTION, Conventions
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, mean_of_eyes, observer_of
from data_pipelines.ingestion.text_table import TextTable
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

_TITLES = {
    "time": ("time",),
    "session": ("session_id",),
    "status": ("status",),
    **{f"{axis}_{eye}": (f"{eye}_gaze_{axis}", f"gaze_{axis}") for axis in "xy" for eye in ("left", "right")},
}
_POSITIONS = tuple(name for name in _TITLES if name[:2] in ("x_", "y_"))
CONVENTIONS = Conventions("PsychoPy", "pixels", Viewing(from_centre=True), "samples, times from the first row")


def looks_like(path: Path, head: bytes) -> bool:
    titles = titles_in(head)
    return {"device_time", "logged_time", "time"} <= titles and bool({"left_gaze_x", "gaze_x"} & titles)


def read(path: Path, film: str) -> Recording:
    table = TextTable(path, _TITLES, clocks=("time",), positions=_POSITIONS, others=("status",))
    table.require("time", "x_left", "y_left")
    has_two_eyes = table.places["x_left"] != table.places.get("x_right")
    lost_by_status = (
        {"left": (20, 22), "right": (2, 22)} if has_two_eyes else dict.fromkeys(("left", "right"), (2, 20, 22))
    )
    gaze = GazeRows()
    starts: dict[str, float] = {}
    largest = 0.0
    for line, row in table.rows():
        time, session = table.number(line, row, "time"), table.text(row, "session")
        start = starts.setdefault(session, time)
        status = table.number(line, row, "status") if "status" in table else 0.0
        left, right = (
            (math.nan if status in lost else table.number(line, row, f"x_{eye}"), table.number(line, row, f"y_{eye}"))
            for eye, lost in lost_by_status.items()
        )
        x, y = mean_of_eyes(left, right)
        largest = max(largest, abs(x), abs(y)) if x == x else largest
        observer = " ".join(filter(None, (observer_of(path, film), session)))
        gaze.add(film, observer, time - start, 0.0, x, y)
    if 0 < largest <= LARGEST_FRACTION:
        raise UserError(f"{path}: positions are not in pixels. Record them with units='pix', or write a table of gaze.")
    return gaze.recording(lambda video: CONVENTIONS)
