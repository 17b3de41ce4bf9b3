"""SAVAM's text files, one for each film and observer: v01_Hugo_2172_u001_m_21_1_fwd.txt.

Lines of time in microseconds, left x, left y, right x, right y in pixels of the 1920x1080 film, which fills the screen;
0 where an eye is lost. The film starts with the first line. The films are stereoscopic: the left eye sees the film
..._left, which is the one to give. Source: public readers of the database.
"""

import re
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import Recording
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

CONVENTIONS = Conventions("SAVAM", "pixels", Viewing(screen=(1920, 1080)), "times from the first sample, left eye")
_NAME = re.compile(r"(v\d+_.+?)_(u\d+)_[mf]_.*")
_LINE = re.compile(rb"\s*\d+(\s+-?\d+(\.\d*)?){4}\s*")


def looks_like(path: Path, head: bytes) -> bool:
    return bool(_NAME.fullmatch(path.stem) and _LINE.fullmatch(head.partition(b"\n")[0]))


def read(path: Path, film: str) -> Recording:
    name = _NAME.fullmatch(path.stem)
    assert name, "looks_like has checked it"
    lines = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                lines.append(_numbers(path, number, line))
    microseconds, x, y, *_ = np.array(lines).T
    x = np.where((x == 0) & (y == 0), np.nan, x)
    rows = np.column_stack([(microseconds - microseconds[0]) / 1e6, np.zeros(len(x)), x, y])
    recording = Recording()
    recording.add(f"{name[1]}_left", rows, CONVENTIONS, np.zeros(len(x), int), [name[2]])
    return recording


def _numbers(path: Path, number: int, line: str) -> list[float]:
    try:
        values = [float(value) for value in line.split()]
        if len(values) != 5 or not np.isfinite(values).all():
            raise ValueError
    except ValueError:
        raise UserError(
            f"{path}, line {number}: is not time, left x, left y, right x, right y. Correct or remove the line."
        ) from None
    return values
