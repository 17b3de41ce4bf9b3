"""Options of a prediction: what is written, and how it looks."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, get_args

from data_pipelines.drawing.heat import COLORMAP, OPACITY, check_colormap
from data_pipelines.films.film import Film
from data_pipelines.inputs.resizing import ResizeFilter
from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.regions import Regions
from stavis_jax.outputs.recorded_gaze import RecordedGaze

MapSize = Literal["film", "network"]
Naming = Literal["frames", "original"]
View = Literal["overlay", "side-by-side"]

MAP_SIZES, NAMINGS, VIEWS = get_args(MapSize), get_args(Naming), get_args(View)
EXTRA_PANES = ("localization", "attention")
MAX_SHEET_FRAMES = 200  # the contact sheet keeps up to a gigabyte of pictures for them


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """How outputs look.

    Attributes:
      map_size: size of map pictures and of the grey film: the film's or the network's.
      naming: names of map pictures; see `map_pictures`.
      colormap: name of a matplotlib colormap for the heat.
      opacity: opacity of the heat at the most salient pixel, 0 to 1.
      view: whether overlay.mp4 also shows the film itself, next to its overlay.
      panes: extra panes of overlay.mp4, any of `EXTRA_PANES`.
      sheet_frames: number of frames on the contact sheet, at most `MAX_SHEET_FRAMES`.
      regions: named regions, for the output `regions`.
      gaze: recorded gaze, for the output `scanpath`.
    """

    map_size: MapSize = "film"
    naming: Naming = "frames"
    colormap: str = COLORMAP
    opacity: float = OPACITY
    view: View = "overlay"
    panes: Sequence[str] = ()
    sheet_frames: int = 12
    regions: Regions | None = None
    gaze: RecordedGaze | None = None

    def check(self, uses_sound: bool) -> None:
        """Raises `UserError` if a value is not allowed. `uses_sound`: whether the network uses sound."""
        for flag, values, choices in (
            ("--map-size", [self.map_size], MAP_SIZES),
            ("--naming", [self.naming], NAMINGS),
            ("--view", [self.view], VIEWS),
            ("--panes", self.panes, EXTRA_PANES),
        ):
            for value in values:
                if value not in choices:
                    raise UserError(f"{flag} {value}: is not known. Choose from {', '.join(choices)}.")
        if not 0 <= self.opacity <= 1:
            raise UserError(f"--opacity {self.opacity}: is out of range. Give a number from 0 (no heat) to 1.")
        if not 1 <= self.sheet_frames <= MAX_SHEET_FRAMES:
            raise UserError(f"--sheet-frames {self.sheet_frames}: is out of range. Give 1 to {MAX_SHEET_FRAMES}.")
        check_colormap(self.colormap)
        if "localization" in self.panes and not uses_sound:
            raise UserError(
                "--panes localization: this network does not use sound, so it cannot locate it. "
                "Remove that pane, or use a checkpoint of a variant with sound, such as --checkpoint stavis."
            )

    def check_film(self, film: Film) -> None:
        """Raises `UserError` if a region is not within the film, or if the film has no recorded gaze."""
        if self.regions:
            self.regions.in_shares((film.width, film.height))
        if self.gaze:
            self.gaze.of(film)

    def settings(self) -> dict[str, Any]:
        """Returns flag -> value as JSON has it, for the record of what an output was made with."""
        values = {field.name.replace("_", "-"): getattr(self, field.name) for field in dataclasses.fields(self)}
        return values | {name: values[name] and values[name].digest() for name in ("regions", "gaze")}

    def size_of_maps(self, film: Film) -> tuple[int, int] | None:
        """Returns the size (width, height) of map pictures in pixels, or None for the network's."""
        return (film.width, film.height) if self.map_size == "film" else None


@dataclasses.dataclass(frozen=True)
class PredictionOptions:
    """How a film is predicted and what is written.

    Attributes:
      outputs: names of outputs, any of `registry.OUTPUTS`.
      appearance: how they look.
      batch_size: clips per call of the network; None: 4 on a CPU, 32 on other devices.
      stride: the network predicts every `stride`-th frame, at most 64. Frames between are interpolated in time.
        None: the smallest one with which this machine predicts the film in no more time than it lasts.
      resize_filter: filter of the resizing step to 320x240, the same as in the training data.
    """

    outputs: Sequence[str] = ("maps", "overlay")
    appearance: OutputOptions = OutputOptions()
    batch_size: int | None = None
    stride: int | None = 1
    resize_filter: ResizeFilter = "bicubic"
