"""Sparse matrices of .mat files, which store columns in turn."""

import numpy as np


def dense(rows: np.ndarray, starts: np.ndarray, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns a sparse matrix as a full one.

    Args:
      rows: row of each value.
      starts: index of each column's first value, and the number of values.
      values: the values, column by column.
      shape: (height, width).

    Raises:
      ValueError: the columns contradict each other, or a value is outside of the matrix.
    """
    counts: np.ndarray = np.diff(starts.astype(np.int64))
    if len(starts) != shape[1] + 1 or starts[0] != 0 or (counts < 0).any():
        raise ValueError("its columns do not follow one another")
    count = int(starts[-1])
    if count > min(len(rows), len(values)) or (count and not 0 <= rows[:count].min() <= rows[:count].max() < shape[0]):
        raise ValueError("it has values outside of the matrix")
    full = np.zeros(shape, values.dtype)
    full[rows[:count], np.repeat(np.arange(shape[1]), counts)] = values[:count]
    return full
