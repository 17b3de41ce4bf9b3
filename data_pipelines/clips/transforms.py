"""Random transforms of clips, one dataclass each, for grain."""

import dataclasses
from typing import Any

import grain
import numpy as np

from data_pipelines.inputs import windows


@dataclasses.dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """Draws 16 consecutive frames from a window's `frames`, uniformly, before anything is read."""

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        begin = int(rng.integers(windows.num_crops(len(element["frames"]))))
        return element | {"frames": windows.crop(element["frames"], begin)}


@dataclasses.dataclass(frozen=True)
class DrawMirroring(grain.transforms.RandomMap):
    """Draws whether a clip is mirrored, as "mirrored". The train step mirrors it, on the device."""

    probability: float = 0.5

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        return element | {"mirrored": bool(rng.random() < self.probability)}


@dataclasses.dataclass(frozen=True)
class FlipLeftRight(grain.transforms.RandomMap):
    """Flips an item of `open_clips`, clip and maps together, with some probability. The sound stays as it is."""

    probability: float = 0.5
    width_axes: tuple[tuple[str, int], ...] = (("clip", 2), ("density", 1), ("fixations", 1))

    def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        if rng.random() >= self.probability:
            return element
        return element | {key: np.flip(element[key], axis) for key, axis in self.width_axes}
