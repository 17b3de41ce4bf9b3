"""Averages values over equal parts of a film. Its length may be unknown, and memory does not grow with it."""

from typing import NamedTuple

import numpy as np


class Bin(NamedTuple):
    """A part of the film.

    Attributes:
      first: its first frame, from 0.
      num_frames: how many it has.
      mean: the mean of their values; NaN where no frame has a value.
    """

    first: int
    num_frames: int
    mean: np.ndarray


class BinnedMeans:
    """Adds up the values of consecutive frames. Whenever there are too many bins, pairs of them become one."""

    def __init__(self, frames_per_bin: int, most_bins: int):
        """Starts with no bins.

        Args:
          frames_per_bin: frames per bin at first. It doubles whenever there are too many bins.
          most_bins: largest number of bins, even.
        """
        self.frames_per_bin, self._most_bins = frames_per_bin, most_bins
        self._sums: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._num_frames = 0

    def add(self, values: np.ndarray) -> None:
        """Adds the values of the next frame, float of one shape for all frames. NaN is no value."""
        if self._num_frames == self.frames_per_bin * self._most_bins:
            self._sums = [one + other for one, other in zip(self._sums[::2], self._sums[1::2], strict=True)]
            self._counts = [one + other for one, other in zip(self._counts[::2], self._counts[1::2], strict=True)]
            self.frames_per_bin *= 2
        if self._num_frames % self.frames_per_bin == 0:
            self._sums.append(np.zeros(np.shape(values)))
            self._counts.append(np.zeros(np.shape(values)))
        self._sums[-1] += np.nan_to_num(values)
        self._counts[-1] += np.isfinite(values)
        self._num_frames += 1

    def bins(self) -> list[Bin]:
        """Returns the bins in order. The last one may have fewer frames."""
        bins = []
        for number, (total, counts) in enumerate(zip(self._sums, self._counts, strict=True)):
            first = number * self.frames_per_bin
            mean = np.divide(total, counts, out=np.full(total.shape, np.nan), where=counts > 0)
            bins.append(Bin(first, min(self.frames_per_bin, self._num_frames - first), mean))
        return bins
