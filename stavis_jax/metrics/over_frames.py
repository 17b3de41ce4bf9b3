"""Applies a metric of one frame to many frames."""

from collections.abc import Callable
from typing import Any

import numpy as np


def over_frames(metric: Callable[..., float]) -> Callable[..., np.ndarray]:
    """Returns a function that applies a metric of maps [H, W] to stacks [B, H, W] and returns float64 [B].

    A map [H, W] among the arguments is used for every frame, as in `over_frames(shuffled_auc)(maps, fixation_maps,
    union)`. The function raises ValueError if the stacks differ in length.
    """

    def of_stack(*stacks: np.ndarray, **settings: Any) -> np.ndarray:
        maps = [np.asarray(values) for values in stacks]
        lengths = {len(values) for values in maps if values.ndim == 3}
        if len(lengths) != 1 or any(values.ndim not in (2, 3) for values in maps):
            raise ValueError(f"Expected stacks [B, H, W] of one length, found {[values.shape for values in maps]}.")
        (length,) = lengths
        frames = zip(*(values if values.ndim == 3 else [values] * length for values in maps), strict=True)
        return np.array([metric(*frame, **settings) for frame in frames], np.float64)

    return of_stack
