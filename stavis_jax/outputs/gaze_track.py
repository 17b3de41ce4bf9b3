"""Output `track`: where people are predicted to look in each frame, as a table."""

import contextlib
import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipelines.films.film import Film, Picture
from stavis_jax.maps.attention import attention_mass, entropy_bits
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction


class GazePoint(NamedTuple):
    """Statistics of a saliency map. Fields are columns of the table.

    Positions are in pixels of the film, from 0 at its left and top edge to its width and height.

    Attributes:
      center_x_px, center_y_px: centre of mass.
      peak_x_px, peak_y_px: middle of the most salient pixel of the map, the first of several in reading order.
      spread_px: root mean square distance from the centre of mass.
      entropy_bits: -sum p log2 p, from 0 (all in one pixel) to 2 log2 S (constant; 13.6 for S = 112). As it depends
        on S, it compares only maps of one size.
    """

    center_x_px: float
    center_y_px: float
    peak_x_px: float
    peak_y_px: float
    spread_px: float
    entropy_bits: float


def gaze_point(saliency_map: np.ndarray, width: int, height: int) -> GazePoint:
    """Returns the statistics of a saliency map [S, S] of a film of width x height pixels.

    The map is normalised by `attention_mass`, so that a constant background does not pull the centre to the middle.
    """
    mass = attention_mass(saliency_map)
    rows, columns = mass.shape
    y = (np.arange(rows) + 0.5) * (height / rows)
    x = (np.arange(columns) + 0.5) * (width / columns)
    over_x, over_y = mass.sum(axis=0), mass.sum(axis=1)
    center_x, center_y = float(over_x @ x), float(over_y @ y)
    variance = float(over_x @ (x - center_x) ** 2 + over_y @ (y - center_y) ** 2)
    peak_row, peak_column = np.unravel_index(mass.argmax(), mass.shape)
    peak = float(x[peak_column]), float(y[peak_row])
    return GazePoint(center_x, center_y, *peak, math.sqrt(variance), entropy_bits(mass))


@contextlib.contextmanager
def gaze_track(path: Path, film: Film, options: OutputOptions | None) -> Iterator[WriteFrame]:
    """Writes track.csv: a line per frame with its number (from 1), its time in seconds, and its `GazePoint`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("frame", "seconds", *GazePoint._fields))

        def write(prediction: FramePrediction, _: Picture | None) -> None:
            *pixels, bits = gaze_point(prediction.saliency, film.width, film.height)
            numbers = [prediction.number, f"{prediction.seconds:.6f}", *(f"{value:.2f}" for value in pixels)]
            lines.writerow([*numbers, f"{bits:.4f}"])

        yield write
