"""What is predicted of one frame of a film."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class FramePrediction:
    """One frame.

    Attributes:
      number: of the frame in the film, from 1.
      seconds: since the first frame.
      saliency: float32 [S, S] in [0, 1].
      localization: float32 [h, w], where the sound is: its maps summed as the fusion weighs them, min-max not applied;
        None without sound, or if it was not asked for.
      attention: of DSAM, 4 x float32 [h, w], each sums to 1; () if it was not asked for.
    """

    number: int
    seconds: float
    saliency: np.ndarray
    localization: np.ndarray | None = None
    attention: tuple[np.ndarray, ...] = ()
