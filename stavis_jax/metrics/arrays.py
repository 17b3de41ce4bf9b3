"""Shape checks and block-wise sums that the metrics share.

Sums run over blocks of pixels: the temporary arrays of a block stay in the processor's cache, those of a whole map do
not.
"""

from collections.abc import Iterator

import numpy as np

BLOCK_PIXELS = 1 << 15


def check_same_shape(saliency_map: np.ndarray, *others: np.ndarray) -> None:
    """Raises ValueError if the maps differ in shape."""
    if any(other.shape != saliency_map.shape for other in others):
        found = ", ".join(str(other.shape) for other in others)
        raise ValueError(f"The saliency map has shape {saliency_map.shape}, the maps it is compared with {found}.")


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
