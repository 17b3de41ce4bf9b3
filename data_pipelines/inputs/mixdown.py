"""The mean of all channels, which is what the network hears of a sound."""

import numpy as np

CANCELLED = 1e-3  # -30 dB of the channels' power; lossy formats leave a rest


class MixdownPower:
    """Compares the power of the mean of all channels with that of the channels, over all samples that are added."""

    def __init__(self) -> None:
        self._of_channels = self._of_mean = 0.0

    def add(self, samples: np.ndarray, mean: np.ndarray) -> None:
        """`samples`: [S, channels]; `mean`: of all channels, [S] or [S, 1]."""
        self._of_channels += float(np.square(samples, dtype=np.float64).mean(axis=1).sum())
        self._of_mean += float(np.square(mean, dtype=np.float64).sum())

    @property
    def is_cancelled(self) -> bool:
        """Whether the channels cancel each other, as left and right do if one of them is inverted."""
        return self._of_mean < CANCELLED * self._of_channels
