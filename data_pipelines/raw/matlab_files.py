"""Reads variables from .mat files of MATLAB 4, 5 to 7 and 7.3. Source: "MAT-File Format", MathWorks.

SciPy's reader trusts the sizes in a file: wrong ones crash the process or fill the memory. This one checks them.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_pipelines.raw import matlab_hdf5
from data_pipelines.raw.matlab_sparse import dense
from data_pipelines.runtime.limits import MOST_PIXELS

NEEDS_H5PY = (
    "is a .mat file of MATLAB 7.3, which only h5py reads. "
    "Install it (pip install \"stavis-jax[hdf5]\"), or save the file with save(..., '-v7')."
)
MOST_BYTES = 8 * MOST_PIXELS  # of one variable: a map of doubles, or the gaze of a database
_HEADER_BYTES, _TAG_BYTES = 128, 8
_MATRIX, _COMPRESSED = 14, 15  # table 1-1, with the number formats below
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT_DTYPES = _DTYPES | {16: "u1", 17: "u2", 18: "u4"}  # UTF-8, -16, -32
_CELL, _STRUCT, _TEXT, _SPARSE, _NUMERIC, _IS_COMPLEX = 1, 2, 4, 5, range(6, 16), 0x800  # table 1-3, figure 1-4
_DEEPEST = 16  # structures in structures
_DTYPES_4 = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}  # of MATLAB 4: figure 1-8


class NoMatrixError(ValueError):
    """The variable exists but is not a matrix of numbers."""


def read_matrix(content: bytes, name: str) -> np.ndarray | None:
    """Returns the variable `name`, [H, W] in the number format of the file, or None if there is no such variable.

    Raises:
      NoMatrixError: the variable has another kind or size.
      ValueError: the file is damaged.
    """
    if not _is_matlab_5(content):
        found = read_variables(content).get(name)
        return None if found is None else _checked_matrix(found)
    try:
        array = next((array for array in _arrays(content) if array.name == name), None)
        if array is None:
            return None
        if array.kind not in (_SPARSE, *_NUMERIC) or array.is_complex:
            raise NoMatrixError(f"it is of class {array.kind}{', complex' if array.is_complex else ''}")
        _check_size(array.shape)
        return array.numbers()
    except (struct.error, zlib.error, LookupError, StopIteration) as error:
        raise ValueError(str(error)) from None


def read_variables(content: bytes) -> dict[str, Any]:
    """Returns all variables of a file by name.

    Numbers become arrays of their own shape and format, texts str, a structure a dict, and cells and arrays of
    structures a flat list in MATLAB's order (columns first). Other kinds (objects, functions, complex numbers) become
    None.

    Raises:
      ValueError: the file is damaged or is no .mat file.
      ImportError: the file is of MATLAB 7.3, and h5py is not installed.
    """
    if matlab_hdf5.is_hdf5(content):
        return matlab_hdf5.read_variables(content, MOST_BYTES)
    try:
        if _is_matlab_5(content):
            return {array.name: array.value() for array in _arrays(content)}
        return dict(_matlab_4(content))
    except (struct.error, zlib.error, LookupError, StopIteration, OverflowError) as error:
        raise ValueError(str(error) or "it is cut short") from None


def _is_matlab_5(content: bytes) -> bool:
    return content[126:128] in (b"IM", b"MI") and not matlab_hdf5.is_hdf5(content)  # 7.3 begins in the same way


@dataclass(frozen=True)
class _Array:
    """One array of a MATLAB 5 file. `parts` are its elements after flags, sizes and name, to be read once."""

    name: str
    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    parts: Iterator[tuple[int, memoryview]]
    byte_order: str
    depth: int

    def value(self) -> Any:
        """Returns the values; see `read_variables`."""
        if self.is_complex:
            return None
        if self.kind in (_SPARSE, *_NUMERIC):
            return self.numbers()
        if self.kind == _TEXT:
            kind, data = next(self.parts)
            codes = np.frombuffer(data, self.byte_order + _TEXT_DTYPES[kind])
            return "".join(map(chr, codes.reshape(self.shape, order="F").ravel())) if kind != 16 else str(data, "utf-8")
        if self.kind == _CELL:
            return [self._inner() for _ in range(math.prod(self.shape))]
        if self.kind != _STRUCT:
            return None
        (_, length), (_, names) = next(self.parts), next(self.parts)
        (size,) = struct.unpack(f"{self.byte_order}i", length)
        if size < 1:
            raise ValueError("a structure has names of no length")
        fields = [str(names[at : at + size], "latin-1").partition("\0")[0] for at in range(0, len(names), size)]
        if not fields:
            return {}
        structures = [{field: self._inner() for field in fields} for _ in range(math.prod(self.shape))]
        return structures[0] if len(structures) == 1 else structures

    def numbers(self) -> np.ndarray:
        """Returns the values of a full or sparse array of numbers."""
        kinds = 3 if self.kind == _SPARSE else 1
        arrays = [_numbers(*next(self.parts), self.byte_order) for _ in range(kinds)]
        if self.kind == _SPARSE:
            _check_size(self.shape)
            return dense(arrays[0], arrays[1], arrays[2], self.shape)
        if arrays[0].size != math.prod(self.shape):
            raise ValueError("the number of values does not match the size")
        return arrays[0].reshape(self.shape, order="F")

    def _inner(self) -> Any:
        if self.depth == _DEEPEST:
            raise ValueError("it has too many structures in one another")
        kind, data = next(self.parts)
        if kind != _MATRIX:
            raise ValueError(f"element of type {kind} in place of an array")
        return _array(data, self.byte_order, self.depth + 1).value() if data else None


def _arrays(content: bytes) -> Iterator[_Array]:
    """Yields the variables of a MATLAB 5 file."""
    byte_order = {b"IM": "<", b"MI": ">"}[content[126:128]]
    for kind, data in _elements(memoryview(content)[_HEADER_BYTES:], byte_order):
        if kind == _COMPRESSED:
            ((kind, data),) = _elements(memoryview(_unpacked(data)), byte_order)
        if kind != _MATRIX:
            raise ValueError(f"element of type {kind} in place of a variable")
        yield _array(data, byte_order, 0)


def _array(data: memoryview, byte_order: str, depth: int) -> _Array:
    parts = _elements(data, byte_order)
    (_, flags), (_, sizes), (_, name) = (next(parts, (0, memoryview(b""))) for _ in range(3))
    (kind,) = struct.unpack_from(f"{byte_order}I", flags)
    shape = tuple(np.frombuffer(sizes, f"{byte_order}i4").tolist())
    if min(shape, default=0) < 0:
        raise ValueError("it has a negative size")
    return _Array(str(name, "latin-1"), kind & 0xFF, bool(kind & _IS_COMPLEX), shape, parts, byte_order, depth)


def _elements(data: memoryview, byte_order: str) -> Iterator[tuple[int, memoryview]]:
    """Yields the type and the data of each element."""
    at = 0
    while at < len(data):
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
        at = end


def _unpacked(packed: memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, MOST_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("it unpacks to more bytes than a map has")
    if not unpacker.eof:
        raise ValueError("it is cut short")
    return data


def _numbers(kind: int, data: memoryview, byte_order: str) -> np.ndarray:
    if kind not in _DTYPES:
        raise ValueError(f"it has numbers of type {kind}")
    return np.frombuffer(data, byte_order + _DTYPES[kind])


def _matlab_4(content: bytes) -> Iterator[tuple[str, Any]]:
    """Yields name and values of each variable of a MATLAB 4 file, which has no header of its own."""
    if not content:
        raise ValueError("it is empty")
    at = 0
    while at < len(content):
        if len(content) < at + 20:
            raise ValueError("it has no header of MATLAB")
        for byte_order in "<>":
            code, rows, columns, is_complex, length = struct.unpack_from(f"{byte_order}5i", content, at)
            if 0 <= code < 5000:
                break
        else:
            raise ValueError("it has no header of MATLAB")
        kind, dtype = code % 10, _DTYPES_4.get(code // 10 % 10)
        if dtype is None or code // 100 % 10 or kind > 2 or min(rows, columns) < 0 or not 1 < length <= 64:
            raise ValueError("it has no header of MATLAB")
        _check_size((max(rows, 1), max(columns, 1)))
        name = content[at + 20 : at + 20 + length].partition(b"\0")[0].decode("latin-1")
        begin = at + 20 + length
        count = rows * columns * (2 if is_complex else 1)
        at = begin + count * int(dtype[1])
        if at > len(content):
            raise ValueError("it is cut short")
        values = np.frombuffer(content, byte_order + dtype, rows * columns, begin).reshape((rows, columns), order="F")
        if is_complex:
            yield name, None
        elif kind == 1:
            yield name, "".join(chr(int(code)) for code in values.ravel())
        else:
            yield name, _full(values) if kind == 2 else values


def _full(triples: np.ndarray) -> np.ndarray:
    """Returns a sparse matrix of MATLAB 4 as a full one. Its rows are (row, column, value); the last has the size."""
    if triples.shape[1] != 3 or not len(triples):
        raise ValueError("its sparse matrix is not of rows, columns and values")
    height, width = (int(size) for size in triples[-1, :2])
    _check_size((height, width))
    rows, columns = (triples[:-1, :2].astype(int) - 1).T
    if len(rows) and (min(rows.min(), columns.min()) < 0 or rows.max() >= height or columns.max() >= width):
        raise ValueError("it has values outside of the matrix")
    full = np.zeros((height, width), triples.dtype)
    full[rows, columns] = triples[:-1, 2]
    return full


def _checked_matrix(found: Any) -> np.ndarray:
    if not isinstance(found, np.ndarray):
        raise NoMatrixError("it is no array of numbers")
    _check_size(found.shape)
    return found


def _check_size(shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise NoMatrixError(f"it has {len(shape)} dimensions")
    if not 0 < shape[0] * shape[1] <= MOST_PIXELS:
        raise NoMatrixError(f"it has {shape[0]} x {shape[1]} values")
