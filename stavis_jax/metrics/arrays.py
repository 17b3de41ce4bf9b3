"""Shape checks and block-wise sums that the metrics share.

Sums run over blocks of pixels: the temporary arrays of a block stay in the processor's cache, those of a whole map do
not.
"""

from collections.abc import Iterator

import numpy as np

BLOCK_PIXELS = 1 << 15
ROUNDING = 1e-14  # the variance of a constant map is smaller than this, relative to its squared mean


def check_same_shape(saliency_map: np.ndarray, *others: np.ndarray) -> None:
    """Raises ValueError if the maps differ in shape."""
    if any(other.shape != saliency_map.shape for other in others):
        found = ", ".join(str(other.shape) for other in others)
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the maps it is compared with {found}.")


def map_and_fixated(saliency_map: np.ndarray, fixation_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the saliency map as float64 [H, W] and where the fixation map is not zero, bool [H, W].

    Raises ValueError if the two maps differ in shape.
    """
    saliency_map, fixated = np.asarray(saliency_map, np.float64), np.asarray(fixation_map) != 0
    check_same_shape(saliency_map, fixated)
    return saliency_map, fixated


def blocks(*maps: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields the same `BLOCK_PIXELS` pixels of each map as flat arrays, block by block."""
    flat = [values.ravel() for values in maps]
    for start in range(0, flat[0].size, BLOCK_PIXELS):
        yield tuple(values[start : start + BLOCK_PIXELS] for values in flat)


def sum_of_products(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the sum of the products of two flat arrays.

    It does not call `np.dot`: BLAS would start threads in every scoring process.
    """
    return np.einsum("i,i->", one, other)


def is_constant(values: np.ndarray, mean: float, squares: float) -> bool:
    """Returns whether all pixels are equal, given their mean and the sum of their squared distances from it.

    The variance of a constant map may round to more than zero. Where it is that small, the pixels are compared.
    """
    return squares <= ROUNDING * values.size * mean**2 and bool(values.min() == values.max())
