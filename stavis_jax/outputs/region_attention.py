"""Output `regions`: writes tables and a plot of the attention to named regions of the film."""

import contextlib
import csv
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipelines.drawing.line_plot import Panel, save_line_plot
from data_pipelines.films.film import Film, Picture
from data_pipelines.runtime.atomic import write_csv
from stavis_jax.maps.attention import attention_mass, share_in
from stavis_jax.maps.binned_means import BinnedMeans
from stavis_jax.maps.regions import Box, Region
from stavis_jax.outputs.frame_writer import WriteFrame
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

FRAMES, SUMMARY, PLOT = "regions.csv", "summary.csv", "regions.png"
FILES = (FRAMES, SUMMARY, PLOT)
BINS_PER_SECOND, MOST_BINS = 4, 1200  # points of a curve

_log = logging.getLogger(__name__)


class RegionAttention(NamedTuple):
    """Attention to a region in one frame. Fields are columns of the table.

    Attributes:
      share: share of the map's saliency within the region, 0 to 1; see `attention_mass`.
      share_over_area: share / (the region's share of the picture's area): 1 if the region draws as much as its size.
      holds_maximum: whether the middle of the most salient pixel is within the region.
    """

    share: float
    share_over_area: float
    holds_maximum: bool


class RegionSummary(NamedTuple):
    """Attention to a region over the film. Fields are columns of the table.

    Attributes:
      num_frames: frames in which the region is part of the film.
      mean_share, mean_share_over_area: means over these frames; NaN if there are none.
      fixation_share: share of these frames whose maximum is within the region.
      first_look_seconds: time of the first such frame; NaN if there is none.
    """

    num_frames: int
    mean_share: float
    mean_share_over_area: float
    fixation_share: float
    first_look_seconds: float


def region_attention(mass: np.ndarray, box: Box) -> RegionAttention:
    """Returns the attention to a box in shares of the picture. `mass`: see `attention_mass`, [h, w]."""
    share, (x, y, width, height) = share_in(mass, box), box
    row, column = np.unravel_index(mass.argmax(), mass.shape)
    peak_x, peak_y = (column + 0.5) / mass.shape[1], (row + 0.5) / mass.shape[0]
    holds_maximum = x <= peak_x < x + width and y <= peak_y < y + height
    return RegionAttention(share, share / (width * height), bool(holds_maximum))


class RegionTotals:
    """Adds up the attention to a region."""

    def __init__(self) -> None:
        self._num_frames = self._num_maxima = 0
        self._share = self._over_area = 0.0
        self._first_look = math.nan

    def add(self, seconds: float, attention: RegionAttention) -> None:
        self._num_frames += 1
        self._share += attention.share
        self._over_area += attention.share_over_area
        if attention.holds_maximum:
            self._first_look = seconds if not self._num_maxima else self._first_look
            self._num_maxima += 1

    def summary(self) -> RegionSummary:
        count = self._num_frames or math.nan
        return RegionSummary(
            self._num_frames,
            self._share / count,
            self._over_area / count,
            self._num_maxima / count,
            self._first_look,
        )


@contextlib.contextmanager
def region_tables(path: Path, film: Film, options: OutputOptions) -> Iterator[WriteFrame]:
    """Writes path/regions.csv, path/summary.csv and path/regions.png.

    regions.csv has a line for each frame and region with the number of the frame (from 1), its time in seconds, the
    name of the region and its `RegionAttention`. summary.csv has a line per region with its `RegionSummary`. While a
    region is not part of the film it has no lines.
    """
    assert options.regions, "checked by `check_outputs`"
    regions = options.regions.in_shares((film.width, film.height))
    totals = [RegionTotals() for _ in regions]
    curves = BinnedMeans(max(1, round(film.frame_rate_hz / BINS_PER_SECOND)), MOST_BINS)
    path.mkdir()
    with (path / FRAMES).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("frame", "seconds", "region", *RegionAttention._fields))

        def write(prediction: FramePrediction, _: Picture | None) -> None:
            mass = attention_mass(prediction.saliency)
            values = np.full((1 + 2 * len(regions)), np.nan)
            values[0] = prediction.seconds
            for number, (region, total) in enumerate(zip(regions, totals, strict=True)):
                if box := region.box_at(prediction.seconds):
                    found = region_attention(mass, box)
                    total.add(prediction.seconds, found)
                    values[1 + 2 * number : 3 + 2 * number] = found.share, found.share_over_area
                    shown = f"{found.share:.6f}", f"{found.share_over_area:.4f}", int(found.holds_maximum)
                    lines.writerow((prediction.number, f"{prediction.seconds:.6f}", region.name, *shown))
            curves.add(values)

        yield write
    summaries = [total.summary() for total in totals]
    for region, summary in zip(regions, summaries, strict=True):
        if not summary.num_frames:
            _log.warning(
                "%s: region %r is never part of %s. Check 'from'.", options.regions.path, region.name, film.name
            )
    _write_summary(path / SUMMARY, regions, summaries)
    means = np.array([part.mean for part in curves.bins()]).reshape(-1, 1 + 2 * len(regions))
    panels = [
        Panel(label, {region.name: means[:, first + 2 * place] for place, region in enumerate(regions)}, level)
        for label, first, level in (("share of saliency", 1, None), ("share / area share", 2, 1.0))
    ]
    save_line_plot(path / PLOT, means[:, 0], panels, f"Attention to regions of {film.name}")


def _write_summary(path: Path, regions: Sequence[Region], summaries: Sequence[RegionSummary]) -> None:
    rows = []
    for region, (count, share, over_area, fixations, first) in zip(regions, summaries, strict=True):
        formats = ((share, ".6f"), (over_area, ".4f"), (fixations, ".4f"), (first, ".6f"))
        texts = ("" if math.isnan(value) else format(value, spec) for value, spec in formats)
        rows.append((region.name, count, *texts))
    write_csv(path, ("region", *RegionSummary._fields), rows)
