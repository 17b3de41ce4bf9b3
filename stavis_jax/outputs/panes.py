"""Draws one picture of overlay.mp4: a grid of panes with the film, its saliency, attention and localisation."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from data_pipelines.drawing.heat import blend
from data_pipelines.drawing.mp4_film import even
from data_pipelines.drawing.picture_grid import captioned, grid_shape, tiled
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.options import EXTRA_PANES, OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

LARGEST = (3840, 2160)  # width and height of a grid in pixels, which most players can show
GAP = 4  # pixels between panes, even


@dataclasses.dataclass(frozen=True)
class Pane:
    """A pane: its caption, and the map [h, w] that it lays over the film. Without a map it shows the film."""

    caption: str
    heat: Callable[[FramePrediction], np.ndarray | None]


PANES = {
    "film": Pane("film", lambda prediction: None),
    "saliency": Pane("saliency", lambda prediction: prediction.saliency),
    "localization": Pane("sound localization", lambda prediction: prediction.localization),
    "attention": Pane("attention", lambda prediction: mean_attention(prediction.attention)),
}
PANES_OF_VIEW = {"overlay": ("saliency",), "side-by-side": ("film", "saliency")}


def mean_attention(attention: Sequence[np.ndarray]) -> np.ndarray | None:
    """Returns the mean of the DSAM attention maps, float32 of the largest map's size; None without maps.

    Args:
      attention: maps [h, w], each of sum 1. Each is divided by uniform attention, 1 / (h * w), and resized bilinearly.
    """
    if not attention:
        return None
    height, width = max((stage.shape for stage in attention), key=lambda shape: shape[0])
    resized = []
    for stage in attention:
        relative = Image.fromarray(stage.astype(np.float32) * np.float32(stage.size))
        resized.append(np.asarray(relative.resize((width, height), Image.Resampling.BILINEAR)))
    return np.stack(resized).mean(axis=0, dtype=np.float32)


class PaneGrid:
    """Draws panes of one size. Several panes get captions and have together at most 3840x2160 pixels.

    The size of the drawn picture is even, as films need it, unless `even_size` is false.
    """

    def __init__(self, film_size: tuple[int, int], options: OutputOptions, *, even_size: bool = True):
        """`film_size`: (width, height) in pixels."""
        names = (*PANES_OF_VIEW[options.view], *(pane for pane in EXTRA_PANES if pane in options.panes))
        self._panes, self._options = [PANES[name] for name in names], options
        self._columns, rows = grid_shape(len(names), film_size, min_columns=2)  # the film is beside its overlay
        scale = 1.0
        if len(names) > 1:
            for most, count, length in zip(LARGEST, (self._columns, rows), film_size, strict=True):
                scale = min(scale, (most - GAP * (count - 1)) / (count * length))
        cell = round(film_size[0] * scale), round(film_size[1] * scale)
        self._cell = even(cell) if even_size else cell

    def draw(self, picture: np.ndarray, prediction: FramePrediction) -> np.ndarray:
        """Returns a picture uint8 [h, w, 3] of a frame uint8 [H, W, 3] and its prediction."""
        picture = fitted(picture, self._cell)
        drawn = [self._overlay(picture, pane.heat(prediction)) for pane in self._panes]
        if len(drawn) == 1:
            return drawn[0]
        cells = [captioned(cell, pane.caption) for cell, pane in zip(drawn, self._panes, strict=True)]
        return tiled(cells, self._columns, GAP)

    def _overlay(self, picture: np.ndarray, heat: np.ndarray | None) -> np.ndarray:
        if heat is None:
            return picture
        return blend(picture, saliency_picture(heat, self._cell), self._options.colormap, self._options.opacity)


def fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a picture [H, W, 3] at a size (width, height). It is cropped by up to one pixel, else resized."""
    height, width = picture.shape[:2]
    if width - size[0] in (0, 1) and height - size[1] in (0, 1):
        return picture[: size[1], : size[0]]
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
