"""Resizing of pictures and fixations to the network's size, done once for each."""

import dataclasses
from typing import Literal, get_args

import numpy as np
from PIL import Image

ResizeFilter = Literal["bicubic", "nearest"]
RESIZE_FILTERS: tuple[ResizeFilter, ...] = get_args(ResizeFilter)
INTERMEDIATE_SIZE = (320, 240)  # width, height: every frame and map goes through it, as in the original

_PILLOW_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}


@dataclasses.dataclass(frozen=True)
class ResizePicture:
    """uint8 [H, W, 3] or [H, W] -> uint8 [size, size, 3] or [size, size], by way of 320x240; the aspect is not kept.

    `resize_filter` is the first step's. The original leaves it to Pillow, whose default was nearest before 7.0 and is
    bicubic since. The second step is bilinear with antialiasing.
    """

    size: int
    resize_filter: ResizeFilter = "bicubic"

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(pixels).resize(INTERMEDIATE_SIZE, _PILLOW_FILTERS[self.resize_filter])
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.BILINEAR))


@dataclasses.dataclass(frozen=True)
class ResizeFixations:
    """Fixated pixels [H, W], 0 or 1 -> uint8 [size, size], 0 or 1. A point grows to a small patch."""

    size: int

    def __call__(self, fixations: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(fixations.astype(np.float32)).resize(INTERMEDIATE_SIZE, Image.Resampling.BILINEAR)
        # The second step is on 8 bits, rounded: a faint edge of a patch falls to 0 there.
        patches = Image.fromarray((np.asarray(picture) > 0).astype(np.uint8) * np.uint8(255))
        resized = patches.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return (np.asarray(resized) > 0).astype(np.uint8)
