"""Resizes pictures and fixation maps to the network's size."""

import dataclasses
from typing import Literal, get_args

import numpy as np
from PIL import Image

ResizeFilter = Literal["bicubic", "nearest"]
RESIZE_FILTERS: tuple[ResizeFilter, ...] = get_args(ResizeFilter)
INTERMEDIATE_SIZE = (320, 240)  # (width, height) of the step between, as in the original

_PILLOW_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "nearest": Image.Resampling.NEAREST}


@dataclasses.dataclass(frozen=True)
class ResizePicture:
    """Resizes a picture, uint8 [H, W, 3] or [H, W], to size x size pixels, by way of 320x240.

    `resize_filter` is that of the first step. The original leaves it to Pillow, whose default was nearest before 7.0
    and is bicubic since. The second step is bilinear with antialiasing.
    """

    size: int
    resize_filter: ResizeFilter = "bicubic"

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(pixels).resize(INTERMEDIATE_SIZE, _PILLOW_FILTERS[self.resize_filter])
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.BILINEAR))


@dataclasses.dataclass(frozen=True)
class ResizeFixations:
    """Resizes a fixation map [H, W] of 0 and 1 to uint8 [size, size] of 0 and 1. A point grows to a small patch."""

    size: int

    def __call__(self, fixations: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(fixations.astype(np.float32)).resize(INTERMEDIATE_SIZE, Image.Resampling.BILINEAR)
        # The second step is rounded to 8 bits, so that the faint edge of a patch becomes 0.
        patches = Image.fromarray((np.asarray(picture) > 0).astype(np.uint8) * np.uint8(255))
        resized = patches.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return (np.asarray(resized) > 0).astype(np.uint8)
