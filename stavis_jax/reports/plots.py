"""Plots of scores over the frames of a video: coordinates for the SVG of the report, one panel per metric."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from stavis_jax.reports.score_tables import metric_column
from stavis_jax.scoring.aggregation import Results, VideoScores
from stavis_jax.scoring.frame_scores import METRICS

WIDTH, HEIGHT = 190, 72  # of a panel, in pixels
MOST_POINTS, FEWEST_POINTS, POINTS_OF_PAGE = 150, 16, 120_000  # 9 bytes a point
CHANCE = {"CC": 0.0, "NSS": 0.0, "AUC-J": 0.5, "sAUC": 0.5}
NUM_COLOURS = 8  # --method-0 to --method-7 in the style sheet


@dataclasses.dataclass(frozen=True)
class Axis:
    """The vertical axis of a metric, the same in all plots of a page."""

    metric: str
    low: float
    high: float

    def y(self, value: float) -> float:
        """Returns the vertical position of a value in pixels from the top. Values beyond the axis are at its ends."""
        return HEIGHT * (1 - min(max((value - self.low) / (self.high - self.low), 0), 1))

    @property
    def chance_y(self) -> float | None:
        """Position of the chance level, None if it is not within the axis."""
        chance = CHANCE.get(self.metric, self.low)
        return self.y(chance) if self.low < chance < self.high else None


@dataclasses.dataclass(frozen=True)
class Panel:
    """The lines of one metric: (CSS class, SVG path) of each method."""

    axis: Axis
    lines: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Plot:
    """The panels of one video. `last`: its last frame. `spoken`: the means, for screen readers."""

    panels: list[Panel]
    last: int
    spoken: str


@dataclasses.dataclass(frozen=True)
class Scale:
    """What all plots of a page share. `most_points`: number of points of a line."""

    axes: list[Axis]
    most_points: int


def common_scale(methods: Mapping[str, Results]) -> Scale:
    """Returns axes that hold the middle 99% of the frames of each metric."""
    videos = [video for of in methods.values() for video in of.videos]
    axes = []
    for metric in METRICS:
        values = np.concatenate([np.empty(0), *(video.values.get(metric, np.empty(0)) for video in videos)])
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, [0.005, 0.995]).tolist() if values.size else (0.0, 1.0)
        low, high = min(low, CHANCE.get(metric, 0.0)), max(high, CHANCE.get(metric, 0.0))
        step = 1.0 if high - low > 2 else 0.25 if high - low > 0.5 else 0.1
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        axes.append(Axis(metric, low, high if high > low else low + step))
    lines = max(1, len(videos) * len(METRICS))
    return Scale(axes, int(np.clip(POINTS_OF_PAGE // lines, FEWEST_POINTS, MOST_POINTS)))


def plot_of_video(scores: Mapping[str, VideoScores], methods: Sequence[str], scale: Scale) -> Plot:
    """Returns the plot of one video. `methods`: all methods of the page, which decide the colours."""
    last = max(int(video.frames[-1]) for video in scores.values())
    panels = []
    for axis in scale.axes:
        chosen = [method for method in methods if method in scores and axis.metric in scores[method].values]
        paths = (_path(scores[method], axis, last, scale.most_points) for method in chosen)
        panels.append(Panel(axis, list(zip((line_class(methods, method) for method in chosen), paths, strict=True))))
    spoken = (f"{method}: {spoken_scores(video.means())}" for method, video in scores.items())
    return Plot(panels, last, "; ".join(spoken))


def spoken_scores(scores: Mapping[str, float]) -> str:
    """Returns a text such as "CC 0.4806, NSS 2.10"."""
    return ", ".join(f"{metric} {metric_column(metric).text(scores.get(metric))}" for metric in METRICS)


def line_class(methods: Sequence[str], method: str) -> str:
    return f"line m{methods.index(method) % NUM_COLOURS}"


def _path(video: VideoScores, axis: Axis, last: int, most_points: int) -> str:
    """Returns an SVG path over the frames 1 to `last`. It breaks where frames have no value.

    In a long video each point is the mean of several frames.
    """
    values = video.values[axis.metric]
    step = max(1, math.ceil(last / most_points))
    bins = (np.asarray(video.frames) - 1) // step
    commands, before = [], None
    for chosen in np.unique(bins):
        of_bin = values[bins == chosen]
        of_bin = of_bin[np.isfinite(of_bin)]
        if not of_bin.size:
            continue
        x = WIDTH * min(1, (chosen * step + (step - 1) / 2) / max(last - 1, 1))
        joined = before is not None and chosen == before + 1
        commands.append(f"{'L' if joined else 'M'}{x:.1f} {axis.y(float(of_bin.mean())):.1f}")
        if not joined:
            commands.append("h0")  # a single point shows as a dot
        before = chosen
    return "".join(commands)
