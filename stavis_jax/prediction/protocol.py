"""The interface of models that prediction accepts. `StavisModel` implements it, and other models can."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import jax
import numpy as np


class Logits(Protocol):
    """The result of a model's call. It may have more attributes."""

    @property
    def logits(self) -> jax.Array | np.ndarray:
        """[B, S, S]; saliency = sigmoid(logits)."""


@runtime_checkable
class SaliencyModel(Protocol):
    """A model of saliency in clips of 16 frames.

    Attributes:
      size: height and width S of clips and maps, pixels.
      uses_sound: whether it uses the waveform. If not, films are predicted without reading their sound.
    """

    size: int
    uses_sound: bool

    def __call__(self, clip: np.ndarray, waveform: np.ndarray) -> Logits:
        """Predicts a batch of clips.

        Args:
          clip: [B, 16, S, S, 3], float32, RGB in [0, 255] minus the ActivityNet mean.
          waveform: [B, 35280], float32, mono at 22,050 Hz in [-256, 256], Hann-windowed and centred.
        """

    def identity(self) -> Mapping[str, str]:
        """Returns names and checksums that identify the model. They are stored with its predictions."""
