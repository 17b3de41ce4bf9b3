"""Draws random changes of training clips: crops and colours. The train step applies them, on the device.

A crop is a box (top, left, height, width) in shares of the frame: (0, 0, 1, 1) is the whole frame. It moves evenly from
the first frame of a clip to the last, as if the camera turned or zoomed.
"""

import dataclasses
import math
from typing import Any

import grain
import numpy as np

from data_pipelines.runtime.errors import UserError

COLOUR_CHANGES = ("saturation", "contrast", "brightness", "red", "green", "blue")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far training clips are changed; 0 changes nothing.

    Attributes:
      crop: the smallest crop leaves out this share of the frame's area.
      stretch: largest change of a crop's aspect ratio, as a share.
      motion: largest distance that a crop's edge moves within a clip, in shares of the frame.
      colour: largest change of saturation, contrast and brightness, as a share. The gains of red, green and blue change
        by a quarter of it.
      whole: share of the clips that keep the whole frame throughout.

    Raises:
      UserError: a value is out of range; the message starts with its name.
    """

    crop: float = 0.0
    stretch: float = 0.0
    motion: float = 0.0
    colour: float = 0.0
    whole: float = 0.0

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            largest = {"whole": 1.0, "motion": 0.5}.get(name, 0.9)
            if not 0 <= value <= largest:
                raise UserError(f"{name}={value}: give 0 to {largest:g}.")

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return any((self.crop, self.stretch, self.motion, self.colour))


@dataclasses.dataclass(frozen=True)
class DrawChanges(grain.transforms.RandomMap):
    """Draws "crop" float32 [2, 4], the boxes of a clip's first and last frame, and "colour" float32 [6]."""

    augmentation: Augmentation

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        crop = np.tile(np.array([0, 0, 1, 1], np.float32), (2, 1))
        if rng.random() >= self.augmentation.whole:
            crop = self._crop(rng)
        return element | {"crop": crop, "colour": self._colour(rng)}

    def _crop(self, rng: np.random.Generator) -> np.ndarray:
        """Returns boxes float32 [2, 4] within the frame."""
        how = self.augmentation
        area, stretch = rng.uniform(1 - how.crop, 1), math.exp(rng.uniform(-1, 1) * math.log1p(how.stretch))
        height, width = min(1.0, math.sqrt(area / stretch)), min(1.0, math.sqrt(area * stretch))
        top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
        edges = np.array([top, left, top + height, left + width])
        moved = np.clip(edges + how.motion * rng.uniform(-0.5, 0.5, (2, 4)), 0, 1)
        moved[:, 2:] = np.maximum(moved[:, 2:], np.minimum(moved[:, :2] + 0.1, 1))
        return np.concatenate([moved[:, :2], moved[:, 2:] - moved[:, :2]], axis=1).astype(np.float32)

    def _colour(self, rng: np.random.Generator) -> np.ndarray:
        """Returns COLOUR_CHANGES, float32: factors of saturation and contrast, shift of brightness, gains."""
        changes = rng.uniform(-1, 1, len(COLOUR_CHANGES)) * self.augmentation.colour
        changes[2:] *= 0.25
        return (np.array([1, 1, 0, 1, 1, 1]) + changes).astype(np.float32)
