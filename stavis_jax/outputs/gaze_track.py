"""Where people are predicted to look, frame by frame, as a table: for cropping films, for studies of attention."""

import contextlib
import csv
import dataclasses
import math
from pathlib import Path

import numpy as np

from stavis_jax.prediction.frame_prediction import FramePrediction

HEADER = (
    "frame",
    "seconds",
    "center_x_px",
    "center_y_px",
    "peak_x_px",
    "peak_y_px",
    "spread_px",
    "entropy_bits",
)


@dataclasses.dataclass(frozen=True)
class GazePoint:
    """What a saliency map says in few numbers.

    Positions are in pixels of the film, from the left and top edges of its picture, which are 0, to the right and
    bottom ones, which are its width and height.

    Attributes:
      center_x, center_y: centre of mass.
      peak_x, peak_y: middle of the map's most salient pixel; of several such, the first in reading order.
      spread: root mean square distance from the centre of mass, pixels of the film.
      entropy_bits: -sum p log2 p; from 0, all in one pixel, to 2 log2 S, everywhere alike (13.6 for S = 112). It
        depends on S, so it compares maps of one network.
    """

    center_x: float
    center_y: float
    peak_x: float
    peak_y: float
    spread: float
    entropy_bits: float


def gaze_point(saliency_map: np.ndarray, width: int, height: int) -> GazePoint:
    """Saliency [S, S] of a film of width x height pixels -> its `GazePoint`.

    The map is normalised as p = (s - min s) / sum(s - min s), so that what it shows everywhere alike pulls nothing
    to the middle; a constant map as p = 1 / S^2.
    """
    mass = saliency_map.astype(np.float64)
    mass -= mass.min()
    if mass.max() == 0:
        mass += 1
    mass /= mass.sum()
    rows, columns = mass.shape
    y = (np.arange(rows) + 0.5) * (height / rows)
    x = (np.arange(columns) + 0.5) * (width / columns)
    over_x, over_y = mass.sum(axis=0), mass.sum(axis=1)
    center_x, center_y = float(over_x @ x), float(over_y @ y)
    variance = float(over_x @ (x - center_x) ** 2 + over_y @ (y - center_y) ** 2)
    peak_row, peak_column = np.unravel_index(mass.argmax(), mass.shape)
    some = mass[mass > 0]
    entropy_bits = max(0.0, -float(some @ np.log2(some)))  # not -0.0
    return GazePoint(center_x, center_y, float(x[peak_column]), float(y[peak_row]), math.sqrt(variance), entropy_bits)


class GazeTrack:
    """track.csv: a line a frame, its number from 1, its time, its `GazePoint`."""

    def __init__(self, path: Path, width: int, height: int):
        """`width`, `height`: the film's, in pixels."""
        self._width, self._height = width, height
        self._file = path.open("w", encoding="utf-8", newline="")
        self._lines = csv.writer(self._file, lineterminator="\n")
        self._lines.writerow(HEADER)

    def add(self, prediction: FramePrediction) -> None:
        point = gaze_point(prediction.saliency, self._width, self._height)
        pixels = (point.center_x, point.center_y, point.peak_x, point.peak_y, point.spread)
        self._lines.writerow(
            [
                prediction.number,
                f"{prediction.seconds:.6f}",
                *(f"{value:.2f}" for value in pixels),
                f"{point.entropy_bits:.4f}",
            ]
        )

    def finish(self) -> None:
        self._file.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk
            self._file.close()
