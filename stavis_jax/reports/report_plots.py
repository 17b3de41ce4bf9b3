"""Scores over the frames of a video as small plots, in SVG, one for each metric side by side."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from stavis_jax.reports.html_elements import Element, element
from stavis_jax.reports.paper_tables import printed
from stavis_jax.scoring.aggregation import Results, VideoScores
from stavis_jax.scoring.frame_scores import METRICS

WIDTH, HEIGHT = 190, 72  # of a panel, in pixels
LEFT, RIGHT, TOP, BOTTOM = 32, 6, 18, 18  # around it
MOST_POINTS, FEWEST_POINTS, POINTS_OF_PAGE = 150, 16, 120_000  # 9 bytes a point
CHANCE = {"CC": 0.0, "NSS": 0.0, "AUC-J": 0.5, "sAUC": 0.5}
NUM_COLOURS = 8  # --method-0 to --method-7 in the style sheet

VideoKey = tuple[str, int, str]  # database, split, video


@dataclasses.dataclass(frozen=True)
class Scale:
    """What all plots of a page share, so that they can be compared: metric -> lower and upper end of its axis."""

    limits: Mapping[str, tuple[float, float]]
    most_points: int


def videos_by_key(methods: Mapping[str, Results]) -> dict[VideoKey, dict[str, VideoScores]]:
    """Video -> method -> its scores."""
    found: dict[VideoKey, dict[str, VideoScores]] = {}
    for name, of in methods.items():
        for video in of.videos:
            found.setdefault((video.database, video.split, video.video), {})[name] = video
    return found


def common_scale(methods: Mapping[str, Results]) -> Scale:
    """Axes that hold the middle 99% of each metric's frames; what is beyond is drawn at the edge."""
    videos = [video for of in methods.values() for video in of.videos]
    limits = {}
    for metric in METRICS:
        values = np.concatenate([video.values.get(metric, np.empty(0)) for video in videos] or [np.empty(0)])
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, [0.005, 0.995]).tolist() if values.size else (0.0, 1.0)
        low, high = min(low, CHANCE.get(metric, 0.0)), max(high, CHANCE.get(metric, 0.0))
        step = 1.0 if high - low > 2 else 0.25 if high - low > 0.5 else 0.1
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        limits[metric] = (low, high if high > low else low + step)
    lines = max(1, len(videos) * len(METRICS))
    return Scale(limits, int(np.clip(POINTS_OF_PAGE // lines, FEWEST_POINTS, MOST_POINTS)))


def over_time(scores: Mapping[str, VideoScores], order: Sequence[str], scale: Scale, name: str) -> Element:
    """The plots of one video: a panel a metric, a line a method, coloured by its place in `order`."""
    last = max(int(video.frames[-1]) for video in scores.values())
    means = {method: video.means() for method, video in scores.items()}
    spoken = "; ".join(
        f"{method}: {', '.join(f'{metric} {printed(of.get(metric), metric)}' for metric in METRICS)}"
        for method, of in means.items()
    )
    plots = element(
        "div", class_="over-time", role="img", aria_label=f"Scores over the frames of {name}, means: {spoken}"
    )
    for metric in METRICS:
        panel = element("g", transform=f"translate({LEFT},{TOP})")
        panel.extend(_axes(metric, scale.limits[metric], last))
        for method in sorted(scores, key=order.index):
            video = scores[method]
            if metric in video.values:
                path = _path(video.frames, video.values[metric], scale.limits[metric], last, scale.most_points)
                panel.append(element("path", class_=method_class(order, method), d=path))
        plots.append(
            element("svg", panel, viewBox=f"0 0 {LEFT + WIDTH + RIGHT} {TOP + HEIGHT + BOTTOM}", aria_hidden="true")
        )
    return plots


def method_class(order: Sequence[str], method: str) -> str:
    return f"line m{order.index(method) % NUM_COLOURS}"


def legend(order: Sequence[str]) -> Element:
    def entry(method: str) -> Element:
        line = element("path", class_=method_class(order, method), d="M1 6h30")
        return element("li", element("svg", line, viewBox="0 0 32 12", aria_hidden="true"), method)

    return element("ul", *map(entry, order), class_="legend", aria_label="Lines of the plots")


def _axes(metric: str, limits: tuple[float, float], last: int) -> Iterable[Element]:
    low, high = limits
    yield element("rect", class_="frame", x=0, y=0, width=WIDTH, height=HEIGHT)
    yield element("text", metric, class_="metric", x=0, y=-5)
    for value, y in ((high, 9), (low, HEIGHT)):
        yield element("text", f"{value:g}", x=-4, y=y, text_anchor="end")
    yield element("text", "frame 1", x=0, y=HEIGHT + 13)
    yield element("text", str(last), x=WIDTH, y=HEIGHT + 13, text_anchor="end")
    if low < (chance := CHANCE.get(metric, low)) < high:
        y = f"{_height(chance, limits):.1f}"
        yield element("line", class_="chance", x1=0, x2=WIDTH, y1=y, y2=y)


def _height(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return HEIGHT * (1 - min(max((value - low) / (high - low), 0), 1))


def _path(frames: np.ndarray, values: np.ndarray, limits: tuple[float, float], last: int, most_points: int) -> str:
    """An SVG path over the frames 1 to `last`; broken where frames have no value. Many frames become means of some."""
    step = max(1, math.ceil(last / most_points))
    bins = (np.asarray(frames) - 1) // step
    commands, before = [], None
    for chosen in np.unique(bins):
        of_bin = values[bins == chosen]
        of_bin = of_bin[np.isfinite(of_bin)]
        if not of_bin.size:
            continue
        x = WIDTH * min(1, (chosen * step + (step - 1) / 2) / max(last - 1, 1))
        joined = before is not None and chosen == before + 1
        commands.append(f"{'L' if joined else 'M'}{x:.1f} {_height(float(of_bin.mean()), limits):.1f}")
        if not joined:
            commands.append("h0")  # a lone point is a dot
        before = chosen
    return "".join(commands)
