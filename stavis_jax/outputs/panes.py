"""One picture of a film's overlay, made of panes: the film, its saliency, and what led to it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image

from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.overlays import blend
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.outputs.captions import grid_shape, write_label
from stavis_jax.outputs.film_writer import even
from stavis_jax.prediction.frame_prediction import FramePrediction

View = Literal["overlay", "side-by-side"]

PANES_OF_VIEW: dict[str, tuple[str, ...]] = {"overlay": ("saliency",), "side-by-side": ("film", "saliency")}
EXTRA_PANES = ("localization", "attention")
LABELS = {"film": "film", "saliency": "saliency", "localization": "sound localization", "attention": "attention"}
LARGEST = (3840, 2160)  # width, height: what players can be expected to play
GAP = 4  # pixels between panes, even
GROUND = 12  # grey level between and around panes


def check_panes(panes: Sequence[str], uses_sound: bool) -> None:
    """Raises `UserError` if a pane is unknown, or needs sound that the network's variant does not use."""
    for pane in panes:
        if pane not in EXTRA_PANES:
            raise UserError(f"--panes {pane}: there is none of that name. Give any of {', '.join(EXTRA_PANES)}.")
    if "localization" in panes and not uses_sound:
        raise UserError(
            "--panes localization: this network does not listen, so it does not say where the sound is. "
            "Leave that pane out, or give a checkpoint of a variant with sound."
        )


def pane_map(pane: str, prediction: FramePrediction) -> np.ndarray | None:
    """The map [h, w] that a pane lays over the film; None for the film itself, or where the network says nothing."""
    if pane == "saliency":
        return prediction.saliency
    if pane == "localization":
        return prediction.localization
    if pane == "attention" and prediction.attention:
        return mean_attention(prediction.attention)
    return None


def mean_attention(attention: Sequence[np.ndarray]) -> np.ndarray:
    """DSAM's maps, each [h, w] and of sum 1, -> float32 of the largest one's size.

    The mean over the maps of h * w * M, that is, of how many times as much as everywhere alike; resized bilinearly.
    """
    height, width = max((stage.shape for stage in attention), key=lambda shape: shape[0])
    resized = []
    for stage in attention:
        relative = Image.fromarray(stage.astype(np.float32) * np.float32(stage.size))
        resized.append(np.asarray(relative.resize((width, height), Image.Resampling.BILINEAR)))
    return np.mean(resized, axis=0, dtype=np.float32)


class PaneGrid:
    """Draws frames of a film as a grid of panes of one size, each with its name if there are several.

    A single pane has the film's size, several ones together at most 3840x2160 pixels. All sizes are even.
    """

    def __init__(
        self, film_size: tuple[int, int], view: View, extra_panes: Sequence[str], colormap: str, opacity: float
    ):
        """`film_size`: (width, height) in pixels. Panes follow in the order of EXTRA_PANES."""
        self.panes = (*PANES_OF_VIEW[view], *(pane for pane in EXTRA_PANES if pane in extra_panes))
        self.colormap, self.opacity = colormap, opacity
        count = len(self.panes)
        columns, rows = grid_shape(count, film_size, least_columns=2)  # the film and its overlay are side by side
        gaps = GAP * (columns - 1), GAP * (rows - 1)
        scale = 1.0
        if count > 1:
            scale = min(
                1.0,
                (LARGEST[0] - gaps[0]) / (columns * film_size[0]),
                (LARGEST[1] - gaps[1]) / (rows * film_size[1]),
            )
        self.cell = even((round(film_size[0] * scale), round(film_size[1] * scale)))
        width, height = self.cell
        self.size = columns * width + gaps[0], rows * height + gaps[1]
        self._corners = []  # row, column in pixels
        for index in range(count):
            row, column = divmod(index, columns)
            in_row = min(columns, count - row * columns)
            indent = (columns - in_row) * (width + GAP) // 2  # the last row is centred
            self._corners.append((row * (height + GAP), indent + column * (width + GAP)))

    def draw(self, picture: np.ndarray, prediction: FramePrediction) -> np.ndarray:
        """A film frame uint8 [H, W, 3] and its prediction -> uint8 [height, width, 3] of `size`."""
        picture = _fitted(picture, self.cell)
        if len(self.panes) == 1:
            return self._pane(self.panes[0], picture, prediction)
        canvas = np.full((*self.size[::-1], 3), GROUND, np.uint8)
        width, height = self.cell
        for pane, (row, column) in zip(self.panes, self._corners, strict=True):
            drawn = write_label(self._pane(pane, picture, prediction), LABELS[pane])
            canvas[row : row + height, column : column + width] = drawn
        return canvas

    def _pane(self, pane: str, picture: np.ndarray, prediction: FramePrediction) -> np.ndarray:
        heat = pane_map(pane, prediction)
        if heat is None:
            return picture
        return blend(picture, saliency_picture(heat, self.cell), self.colormap, self.opacity)


def _fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture [H, W, 3] at a size (width, height): one pixel less is cut off, all else is resized."""
    height, width = picture.shape[:2]
    if size == even((width, height)):
        return picture[: size[1], : size[0]]
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
