"""Maps piece by piece: a piece's temporary arrays stay in the processor's cache, those of a whole map do not."""

from collections.abc import Iterator

import numpy as np

BLOCK_PIXELS = 1 << 15
ROUNDING = 1e-14  # a constant's variance is less, relative to its squared mean


def blocks(*maps: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """The same pixels of maps of one size, flat, `BLOCK_PIXELS` at a time."""
    flat = [values.ravel() for values in maps]
    for start in range(0, flat[0].size, BLOCK_PIXELS):
        yield tuple(values[start : start + BLOCK_PIXELS] for values in flat)


def sum_of_products(one: np.ndarray, other: np.ndarray) -> float:
    """Of two flat arrays. Not a dot product: BLAS would start threads in every scoring process."""
    return np.einsum("i,i->", one, other)


def is_constant(values: np.ndarray, mean: float, squares: float) -> bool:
    """Whether all pixels are equal, given their mean and the sum of their squared distances from it.

    The variance of a constant may round to something above zero, so where it is that small the pixels are asked.
    """
    return squares <= ROUNDING * values.size * mean**2 and bool(values.min() == values.max())
