"""Computes offsets of an encoder's quantisation parameter (QP): lower where people look, higher elsewhere."""

import functools
import itertools
import math

import numpy as np

from stavis_jax.maps.attention import coverage

BLOCK = 64  # pixels: the superblocks of AV1, the coding tree units of HEVC
QP_PER_DOUBLED_WEIGHT = 3  # an encoder that weighs errors with w is best at QP - 3 log2 w
QP_PER_HALVED_BITS = 6  # the step of H.264 and HEVC doubles every 6
FLOOR = 0.25  # density at which attention counts as nothing, so that maps near zero do not decide
LOWEST, HIGHEST = -8, 6  # in steps of 2 these are the eight levels that AV1 can have in a frame
HALVINGS = 30


class BlockGrid:
    """The blocks of a film's frames. Those at the right and lower edge may be smaller than others.

    Attributes:
      edges: upper edges of the rows and left edges of the columns, and the end of the last one, in pixels, 2 x int [N].
      shape: (rows, columns).
      area: share of the picture in each block, float64 [rows, columns], of sum 1.
    """

    def __init__(self, film_size: tuple[int, int], block: int = BLOCK):
        """`film_size`: (width, height) in pixels."""
        width, height = film_size
        self.edges = [
            np.minimum(np.arange(math.ceil(length / block) + 1) * block, length) for length in (height, width)
        ]
        self.shape = len(self.edges[0]) - 1, len(self.edges[1]) - 1
        self.area = np.outer(*(np.diff(edges) / edges[-1] for edges in self.edges))
        self._covered = functools.cache(self._coverage)

    def density(self, mass: np.ndarray) -> np.ndarray:
        """Returns share of attention / share of area of each block, float64 [rows, columns].

        `mass`: see `attention_mass`, [h, w].
        """
        over_rows, over_columns = (self._covered(axis, count) for axis, count in enumerate(mass.shape))
        return over_rows @ mass @ over_columns.T / self.area

    def _coverage(self, axis: int, count: int) -> np.ndarray:
        """Returns how much of each of `count` pixels of a map is in each row or column, float64 [blocks, count]."""
        edges = self.edges[axis] / self.edges[axis][-1]
        return np.stack([coverage(start, end, count) for start, end in itertools.pairwise(edges)])


def relative_bits(offsets: np.ndarray, area: np.ndarray) -> float:
    """Returns the bits of a frame with offsets over its bits without, if all its parts need the same bits per area."""
    return float((2.0 ** (-offsets / QP_PER_HALVED_BITS) * area).sum())


def qp_offsets(density: np.ndarray, area: np.ndarray, step: int = 1) -> np.ndarray:
    """Returns whole offsets of QP, int [rows, columns], multiples of `step` from `LOWEST` to `HIGHEST`.

    offset = -3 log2((density + 1/4) / (1 + 1/4)) + c, with the smallest c that does not raise `relative_bits` above 1.

    Args:
      density: see `BlockGrid.density`.
      area: share of the picture in each block, of sum 1.
      step: divides `LOWEST` and `HIGHEST`.
    """
    wanted = -QP_PER_DOUBLED_WEIGHT * np.log2((density + FLOOR) / (1 + FLOOR))

    def shifted(by: float) -> np.ndarray:
        return np.clip(step * np.round((wanted + by) / step), LOWEST, HIGHEST).astype(int)

    reach = float(np.abs(wanted).max()) + HIGHEST - LOWEST
    low, high = -reach, reach  # bits fall as the shift rises
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if relative_bits(shifted(middle), area) > 1 + 1e-9 else (low, middle)
    return shifted(high)
