"""The prediction of one frame of a film."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class FramePrediction:
    """The prediction of one frame.

    Attributes:
      number: number of the frame in the film, from 1.
      seconds: time since the first frame.
      saliency: float32 [S, S] in [0, 1].
      localization: float32 [h, w], the localisation maps summed with the fusion's weights, of any range; None if the
        model has none.
      attention: attention maps of the four stages, 4 x float32 [h, w], each sums to 1; () if the model has none.
    """

    number: int
    seconds: float
    saliency: np.ndarray
    localization: np.ndarray | None = None
    attention: tuple[np.ndarray, ...] = ()
