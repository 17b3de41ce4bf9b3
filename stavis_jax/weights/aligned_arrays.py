"""Float32 arrays in one block of memory, which JAX uses in place on a CPU."""

import math
from collections.abc import Mapping

import numpy as np

ALIGNMENT = 64  # bytes; XLA:CPU copies arrays that start elsewhere


def aligned_arrays(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Returns an uninitialised float32 array of each shape. The memory is freed when no array uses it."""
    starts, end = [], 0
    for shape in shapes.values():
        starts.append(end)
        end += -(-4 * math.prod(shape) // ALIGNMENT) * ALIGNMENT
    block = np.empty(end + ALIGNMENT, np.uint8)
    block = block[-block.ctypes.data % ALIGNMENT :]
    return {
        name: block[start : start + 4 * math.prod(shape)].view(np.float32).reshape(shape)
        for (name, shape), start in zip(shapes.items(), starts, strict=True)
    }
