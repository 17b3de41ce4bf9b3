"""Reads one full or sparse matrix from a MATLAB 5 .mat file. Source: "MAT-File Format", MathWorks.

SciPy's reader trusts the sizes in a file: wrong ones crash the process or fill the memory. This one checks them.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from data_pipelines.runtime.limits import MOST_PIXELS

_HEADER_BYTES, _TAG_BYTES = 128, 8
_MOST_BYTES = 8 * MOST_PIXELS  # of a map of doubles
_MATRIX, _COMPRESSED = 14, 15  # table 1-1, with the number formats below
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_SPARSE, _NUMERIC, _IS_COMPLEX = 5, range(6, 16), 0x800  # table 1-3, figure 1-4


class NoMatrixError(ValueError):
    """The variable exists but is not a matrix of numbers."""


def read_matrix(content: bytes, name: str) -> np.ndarray | None:
    """Returns the variable `name`, [H, W] in the number format of the file, or None if there is no such variable.

    Raises:
      NoMatrixError: the variable has another kind or size.
      ValueError: the file is damaged.
    """
    byte_order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if byte_order is None:
        raise ValueError("it has no header of MATLAB 5")
    try:
        for kind, data in _elements(content[_HEADER_BYTES:], byte_order):
            if kind == _COMPRESSED:
                ((kind, data),) = _elements(_unpacked(data), byte_order)
            if kind != _MATRIX:
                raise ValueError(f"element of type {kind} in place of a variable")
            found = _matrix(list(_elements(data, byte_order, limit=6)), byte_order, name)
            if found is not None:
                return found
    except (struct.error, zlib.error, IndexError) as error:
        raise ValueError(str(error)) from None
    return None


def _elements(data: bytes, byte_order: str, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yields the type and the data of each element, of at most `limit` elements."""
    at = count = 0
    while at < len(data) and count != limit:
        kind, size = struct.unpack_from(f"{byte_order}II", data, at)
        if kind >> 16:  # a small element has its size beside its type and its data in the tag
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + _TAG_BYTES
            if size > 4:
                raise ValueError("a small element is too large")
        else:
            begin = at + _TAG_BYTES
            end = begin + size + (0 if kind == _COMPRESSED else -size % 8)
        if begin + size > len(data):
            raise ValueError("it is cut short")
        yield kind, data[begin : begin + size]
        at, count = end, count + 1


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, _MOST_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("it unpacks to more bytes than a map has")
    if not unpacker.eof:
        raise ValueError("it is cut short")
    return data


def _matrix(parts: list[tuple[int, bytes]], byte_order: str, name: str) -> np.ndarray | None:
    """Returns a variable's values, or None if it has another name. `parts`: its flags, dimensions, name and values."""
    (_, flags), (_, sizes), (_, called), *values = parts
    if called.decode("latin-1") != name:
        return None
    (kind,) = struct.unpack_from(f"{byte_order}I", flags)
    shape: tuple[int, ...] = tuple(np.frombuffer(sizes, f"{byte_order}i4").tolist())
    if kind & 0xFF not in (_SPARSE, *_NUMERIC) or kind & _IS_COMPLEX:
        raise NoMatrixError(f"it is of class {kind & 0xFF}{', complex' if kind & _IS_COMPLEX else ''}")
    if len(shape) != 2:
        raise NoMatrixError(f"it has {len(shape)} dimensions")
    if min(shape) < 0:
        raise ValueError("it has a negative size")
    if not 0 < shape[0] * shape[1] <= MOST_PIXELS:
        raise NoMatrixError(f"it has {shape[0]} x {shape[1]} values")
    arrays = [_numbers(*value, byte_order) for value in values]
    if kind & 0xFF == _SPARSE:
        rows, starts, nonzero = arrays[:3]
        return _dense(rows, starts, nonzero, shape)
    if arrays[0].size != shape[0] * shape[1]:
        raise ValueError("the number of values does not match the size")
    return arrays[0].reshape(shape, order="F")


def _numbers(kind: int, data: bytes, byte_order: str) -> np.ndarray:
    if kind not in _DTYPES:
        raise ValueError(f"it has numbers of type {kind}")
    return np.frombuffer(data, byte_order + _DTYPES[kind])


def _dense(rows: np.ndarray, starts: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns a sparse matrix as a full one.

    Args:
      rows: row of each value.
      starts: index of each column's first value, and the number of values.
      values: the values, column by column.
      shape: (height, width).
    """
    if len(starts) != shape[1] + 1 or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ValueError("its columns do not follow one another")
    count = int(starts[-1])
    if count > min(len(rows), len(values)) or (count and not 0 <= rows[:count].min() <= rows[:count].max() < shape[0]):
        raise ValueError("it has values outside of the matrix")
    dense = np.zeros(shape, values.dtype)
    dense[rows[:count], np.repeat(np.arange(shape[1]), np.diff(starts))] = values[:count]
    return dense
