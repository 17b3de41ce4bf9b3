"""DIEM's event files, one for each film and observer: <film>/event_data/<observer>_<film>.txt.

Lines of frame, left x, left y, left pupil, left event, right x, right y, right pupil, right event; frames are counted
from 1, 30 a second. Event 1 is a fixation (-1 error, 0 blink, 2 saccade): samples of eyes within fixations are read.
Positions are pixels of a screen of 1280x960, on which the film was centred at its own size. Source:
thediemproject.wordpress.com.
"""

import math
import re
from pathlib import Path

from data_pipelines.ingestion.delimited_text import first_lines, not_text, open_gaze_text
from data_pipelines.ingestion.film_names import OR
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import GazeRows, Recording, mean_of_eyes
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

RATE_HZ = 30
CONVENTIONS = Conventions(
    "DIEM", "pixels", Viewing(screen=(1280, 960), shown="native"), "samples within fixations, 30 frames a second from 1"
)
_NUMBER = r"(?:-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|NaN)"
_EVENT = r"(?:-1|[012])(?:\.0*)?"
_LINE = re.compile(rf"\s*\d+(?:\.0*)?(?:\s+{_NUMBER}){{3}}\s+{_EVENT}(?:\s+{_NUMBER}){{3}}\s+{_EVENT}\s*")
_FIXATION = 1


def looks_like(path: Path, head: bytes) -> bool:
    lines = first_lines(head)
    return path.suffix.lower() == ".txt" and bool(lines) and all(map(_LINE.fullmatch, lines[:3][: len(lines) - 1 or 1]))


def read(path: Path, film: str) -> Recording:
    observer, _, named = path.stem.partition("_")
    if path.parent.name == "event_data":
        film = path.parent.parent.name
    video = OR.join(dict.fromkeys(filter(None, (film, named))))
    gaze = GazeRows()
    try:
        with open_gaze_text(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                if not _LINE.fullmatch(line):
                    raise UserError(
                        f"{path}, line {number}: is not a line of DIEM's events. Correct or remove the line."
                    )
                frame, *eyes = map(float, line.split())
                seen = [
                    (x, y) if event == _FIXATION else (math.nan, math.nan) for x, y, _, event in (eyes[:4], eyes[4:])
                ]
                gaze.add(video, observer, (frame - 0.5) / RATE_HZ, 0.0, *mean_of_eyes(*seen))  # the middle of a frame
    except UnicodeError:
        raise not_text(path) from None
    return gaze.recording(lambda _: CONVENTIONS)
