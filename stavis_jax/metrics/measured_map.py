"""A map with its extremes and sums, which several metrics of a frame share."""

import functools
from typing import NamedTuple

import numpy as np

from stavis_jax.metrics.arrays import blocks, check_same_shape, sum_of_products

CANCELLED = 0.1  # a difference below this share of the larger term has lost digits


class _Sums(NamedTuple):
    lowest: np.float64
    highest: np.float64
    total: np.float64
    products: np.float64  # of each pixel with itself


class MeasuredMap:
    """A map [H, W]. One pass over it, when a property is first read, serves all metrics.

    Attributes:
        values: the map, which must not change any more: uint8, or float64 if it was given in another type.
    """

    def __init__(self, values: np.ndarray):
        values = np.asarray(values)
        self.values = values if values.dtype == np.uint8 else values.astype(np.float64, copy=False)

    @functools.cached_property
    def _sums(self) -> _Sums:
        wide = np.uint32 if self.values.dtype == np.uint8 else np.float64
        of_blocks = []
        for (block,) in blocks(self.values):
            numbers = block.astype(np.float64, copy=False)
            of_blocks.append((block.min(), block.max(), block.sum(dtype=wide), sum_of_products(numbers, numbers)))
        lowest, highest, totals, products = np.array(of_blocks, np.float64).T
        return _Sums(lowest.min(), highest.max(), totals.sum(), products.sum())

    @property
    def lowest(self) -> np.float64:
        """The minimum, NaN if the map holds a NaN."""
        return self._sums.lowest

    @property
    def highest(self) -> np.float64:
        """The maximum, NaN if the map holds a NaN."""
        return self._sums.highest

    @property
    def total(self) -> np.float64:
        """The sum."""
        return self._sums.total

    @property
    def mean(self) -> np.float64:
        return self.total / self.values.size

    @property
    def is_constant(self) -> bool:
        return bool(self.lowest == self.highest)

    @property
    def has_nan(self) -> bool:
        return bool(np.isnan(self.lowest))

    @functools.cached_property
    def mass(self) -> np.float64:
        """The sum of the distances from the minimum."""
        mass = self.total - self.values.size * self.lowest
        if mass > CANCELLED * abs(self.total):
            return mass
        return np.float64(sum((block - self.lowest).sum() for (block,) in blocks(self.values)))

    @functools.cached_property
    def centre(self) -> np.float64:
        """What products of distances are summed about: 0, or the mean if the map varies little around it."""
        squares = self._sums.products - self.total * self.mean
        return np.float64(0) if squares > CANCELLED * self._sums.products else self.mean

    @functools.cached_property
    def squares(self) -> np.float64:
        """The sum of the squared distances from the mean."""
        if self.centre == 0:
            return self._sums.products - self.total * self.mean
        centred = (self.centred(block) for (block,) in blocks(self.values))
        return np.float64(sum(sum_of_products(block, block) for block in centred))

    def centred(self, block: np.ndarray) -> np.ndarray:
        """Returns float64 pixels [N] as distances from `centre`."""
        # Converted first: NumPy subtracts floats from 8-bit integers in small, slow pieces.
        block = block.astype(np.float64, copy=False)
        return block - self.centre if self.centre else block


AnyMap = np.ndarray | MeasuredMap


def measured(values: AnyMap) -> MeasuredMap:
    """Returns the measured map: itself if it is one."""
    return values if isinstance(values, MeasuredMap) else MeasuredMap(values)


def map_and_fixated(saliency_map: AnyMap, fixation_map: np.ndarray) -> tuple[MeasuredMap, np.ndarray]:
    """Returns the map [H, W], and the positions of the fixated pixels in the flattened map.

    Raises ValueError if the two maps differ in shape.
    """
    saliency, fixated = measured(saliency_map), np.asarray(fixation_map) != 0
    check_same_shape(saliency.values, fixated)
    return saliency, np.flatnonzero(fixated)
