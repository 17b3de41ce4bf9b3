"""Reads the gaze of single observers.

annotations/<database>/<video>/observers.csv has the columns observer, frame, x, y. Frames count from 1. x and y are in
pixels of the annotation, from 0 at the left and the top.
"""

import csv
from pathlib import Path

import numpy as np

from data_pipelines.raw.layout import OBSERVER_COLUMNS
from data_pipelines.runtime.errors import UserError
from data_pipelines.runtime.text_files import open_text

ObserverPoints = dict[int, dict[str, np.ndarray]]  # frame -> observer -> rows and columns of pixels, int [P, 2]


def read_observers(path: Path, shape: tuple[int, int]) -> ObserverPoints:
    """Reads an observers.csv. Leaves out points outside the frame and points without coordinates (blinks).

    Args:
        shape: height and width of the annotation in pixels.

    Raises:
        UserError: a column is missing, or frame, x or y is not a number.
    """
    found: dict[int, dict[str, list[tuple[int, int]]]] = {}
    try:
        with open_text(path, newline="") as file:
            rows = csv.DictReader(file)
            if missing := [column for column in OBSERVER_COLUMNS if column not in (rows.fieldnames or ())]:
                raise UserError(f"{path}: has no column {', '.join(missing)}. Expected {', '.join(OBSERVER_COLUMNS)}.")
            for row in rows:
                try:
                    number, x, y = int(row["frame"]), float(row["x"] or "nan"), float(row["y"] or "nan")
                except (TypeError, ValueError):
                    raise UserError(
                        f"{path}, line {rows.line_num}: frame, x and y must be numbers. Correct or remove the line."
                    ) from None
                if -0.5 <= x < shape[1] - 0.5 and -0.5 <= y < shape[0] - 0.5:
                    point = (int(np.floor(y + 0.5)), int(np.floor(x + 0.5)))
                    found.setdefault(number, {}).setdefault(row["observer"], []).append(point)
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(f"{path}: not a readable table ({error}). Write it again.") from None
    return {
        number: {observer: np.array(points) for observer, points in of_frame.items()}
        for number, of_frame in found.items()
    }
