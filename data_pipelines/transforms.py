"""One dataclass a step: the resizing that is done once, and what grain applies to each clip."""

import dataclasses
from typing import Any, Literal, get_args

import grain
import numpy as np
from PIL import Image

from data_pipelines import clips

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


@dataclasses.dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """Draws 16 consecutive frames out of a window's `frames`, each position as likely, before anything is read."""

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        begin = int(rng.integers(clips.num_crops(len(element["frames"]))))
        return element | {"frames": clips.crop(element["frames"], begin)}


@dataclasses.dataclass(frozen=True)
class FlipLeftRight(grain.transforms.RandomMap):
    """Mirrors a clip and its maps together, or none of them. The sound stays as it is."""

    probability: float = 0.5
    width_axes: tuple[tuple[str, int], ...] = (("clip", 2), ("density", 1), ("fixations", 1))

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        if rng.random() >= self.probability:
            return element
        return element | {key: np.flip(element[key], axis) for key, axis in self.width_axes}
