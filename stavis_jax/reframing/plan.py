"""Plans the crop of a reframed film, shot by shot, and computes the share of saliency that it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from stavis_jax.reframing.camera_path import camera_path
from stavis_jax.reframing.ratio import Ratio
from stavis_jax.reframing.saliency_profile import SaliencyProfiles, share_in_window
from stavis_jax.reframing.smooth_path import CameraLimits

Padding = Literal["auto", "never", "blur", "black"]
PADDINGS: tuple[Padding, ...] = ("auto", "never", "blur", "black")
PAD_BELOW = 0.4  # share of saliency that a crop keeps of a shot; below it, "auto" shows the whole picture


@dataclass(frozen=True)
class Analysis:
    """Data of a film from which the crop of any ratio is planned.

    Attributes:
      profiles: saliency of each frame, along x and along y.
      seconds: times since the first frame, float64 [N], rising.
      shot_starts: index of the first frame of each shot.
    """

    profiles: SaliencyProfiles
    seconds: np.ndarray
    shot_starts: Sequence[int]


@dataclass(frozen=True)
class ReframedShot:
    """One shot.

    Attributes:
      number: from 1.
      first, end: index of its first frame, and of the frame after its last.
      start_seconds, end_seconds: of these two.
      kept: share of predicted saliency in the crop, the mean over frames.
      kept_by_center: the same of a crop in the middle of the film.
      padded: whether the whole picture is shown, on a background.
    """

    number: int
    first: int
    end: int
    start_seconds: float
    end_seconds: float
    kept: float
    kept_by_center: float
    padded: bool


@dataclass(frozen=True)
class Plan:
    """A reframed film.

    Attributes:
      ratio: of the reframed film.
      film_size: (width, height) of the film in pixels.
      size: (width, height) of the crop and of the reframed film in pixels, even.
      axis: along which the crop moves.
      places: left (or upper) edge of the crop in each frame, in pixels, float64 [N].
      seconds: times of the frames, float64 [N].
      shots: in order; together they hold every frame.
      background: "blur" or "black", around padded shots.
      pixel_aspect: width over height of the pixels.
    """

    ratio: Ratio
    film_size: tuple[int, int]
    size: tuple[int, int]
    axis: Literal["x", "y"]
    places: np.ndarray
    seconds: np.ndarray
    shots: Sequence[ReframedShot]
    background: Literal["blur", "black"]
    pixel_aspect: Fraction = Fraction(1)

    def corner(self, index: int) -> tuple[float, float]:
        """Returns (x, y) of the upper left corner of a frame's crop, in pixels, not rounded."""
        place = float(self.places[index])
        middle_x, middle_y = ((whole - part) // 2 for whole, part in zip(self.film_size, self.size, strict=True))
        return (place, middle_y) if self.axis == "x" else (middle_x, place)

    def whole_pixels(self, index: int) -> tuple[int, int]:
        """Returns (x, y) of the upper left corner of a frame's crop as it is cut out."""
        x, y = self.corner(index)
        return round(x), round(y)

    @property
    def kept(self) -> float:
        """Share of saliency in the crop, the mean over all frames."""
        return self._mean([shot.kept for shot in self.shots])

    @property
    def kept_by_center(self) -> float:
        """The same of a crop in the middle of the film."""
        return self._mean([shot.kept_by_center for shot in self.shots])

    def _mean(self, shares: list[float]) -> float:
        return float(np.average(shares, weights=[shot.end - shot.first for shot in self.shots]))


@dataclass(frozen=True)
class PlanOptions:
    """Options of a plan.

    Attributes:
      limits: bounds on the camera's motion.
      padding: which shots show the whole picture; see docs/reframe.md.
      pad_below: "auto" pads a shot if its crop keeps a smaller share of saliency.
    """

    limits: CameraLimits = CameraLimits()
    padding: Padding = "auto"
    pad_below: float = PAD_BELOW


def plan(
    analysis: Analysis, ratio: Ratio, film_size: tuple[int, int], pixel_aspect: Fraction, options: PlanOptions
) -> Plan:
    """Plans the crop of one ratio."""
    size = ratio.window(film_size, pixel_aspect)
    shares = [part / whole for part, whole in zip(size, film_size, strict=True)]
    axis: Literal["x", "y"] = "x" if shares[0] <= shares[1] else "y"
    length, whole, part = min(shares), film_size[axis == "y"], size[axis == "y"]
    profiles, starts = analysis.profiles.along(axis), list(analysis.shot_starts)
    places = camera_path(profiles, analysis.seconds, starts, length, options.limits) * whole
    places = np.clip(places, 0, whole - part)
    kept = share_in_window(profiles, np.rint(places)[:, None] / whole, length)[:, 0]
    kept_by_center = share_in_window(profiles, np.array([((whole - part) // 2) / whole]), length)[:, 0]
    shots = []
    for number, (first, end) in enumerate(zip(starts, [*starts[1:], len(places)], strict=True), start=1):
        share = float(kept[first:end].mean())
        shots.append(
            ReframedShot(
                number,
                first,
                end,
                float(analysis.seconds[first]),
                _end_seconds(analysis.seconds, end),
                share,
                float(kept_by_center[first:end].mean()),
                _is_padded(share, length, options),
            )
        )
    background: Literal["blur", "black"] = "black" if options.padding == "black" else "blur"
    return Plan(ratio, film_size, size, axis, places, analysis.seconds, shots, background, pixel_aspect)


def _is_padded(kept: float, length: float, options: PlanOptions) -> bool:
    """Returns whether a shot is padded. A crop that holds the whole film, up to a pixel, is not."""
    if options.padding == "never" or length > 0.99:
        return False
    return options.padding != "auto" or kept < options.pad_below


def _end_seconds(seconds: np.ndarray, end: int) -> float:
    """Returns the time of a frame; the one after the last is as far from it as that is from the one before."""
    if end < len(seconds):
        return float(seconds[end])
    return float(seconds[-1] + (seconds[-1] - seconds[-2] if len(seconds) > 1 else 0))
