"""Reads .mat files of MATLAB 7.3, which are HDF5 files. Requires h5py (the extra `hdf5`).

MATLAB marks each variable with the attribute MATLAB_class and stores arrays with their axes reversed. An array without
the attribute comes from another program and is read as it is.
"""

import io
import math
from typing import Any

import numpy as np

from data_pipelines.raw.matlab_sparse import dense

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HIDDEN = "#"  # MATLAB keeps the content of cells in #refs#
_DEEPEST = 16  # structures in structures
_MOST_NODES = 200_000  # variables, fields and cells of a file


def is_hdf5(content: bytes) -> bool:
    """Returns whether a file is HDF5, with or without the 512 bytes that MATLAB puts before it."""
    return _SIGNATURE in (content[:8], content[512:520])


def read_variables(content: bytes, most_bytes: int) -> dict[str, Any]:
    """Returns the variables by name; see `matlab_files.read_variables`.

    Args:
      content: the file.
      most_bytes: most bytes of one array.

    Raises:
      ValueError: the file is damaged, or an array is too large.
      ImportError: h5py is not installed.
    """
    import h5py  # not every installation has it

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            reader = _Reader(most_bytes)
            return {name: reader.value(file[name]) for name in file if not name.startswith(_HIDDEN)}
    except (OSError, RuntimeError, KeyError, TypeError, IndexError, OverflowError) as error:  # h5py raises several
        raise ValueError(f"it is damaged: {error}") from None


class _Reader:
    """Reads variables until they have `most_bytes` in all. Cells may refer to each other, so it counts them too."""

    def __init__(self, most_bytes: int):
        self._bytes_left, self._nodes_left = most_bytes, _MOST_NODES

    def value(self, node: Any, depth: int = 0) -> Any:
        import h5py

        self._nodes_left -= 1
        if depth > _DEEPEST or self._nodes_left < 0:
            raise ValueError("it has too many structures in one another")
        kind = _text(node.attrs.get("MATLAB_class", b""))
        if isinstance(node, h5py.Group):
            if "MATLAB_sparse" in node.attrs:
                return self._sparse(node)
            return {name: self.value(node[name], depth + 1) for name in node}
        self._take(node.name, node.size or 0, node.dtype.itemsize)
        if node.attrs.get("MATLAB_empty", 0):
            return "" if kind == "char" else [] if kind == "cell" else np.zeros(0)
        if node.dtype == h5py.ref_dtype:
            return [self.value(node.file[reference], depth + 1) for reference in np.ravel(node[()])]
        if node.dtype.kind not in "biuf":  # text and complex numbers of other programs
            return None
        values = node[()]
        if kind == "char":
            return "".join(chr(int(code)) for code in np.ravel(values))
        return np.asarray(values.T if kind else values)

    def _sparse(self, node: Any) -> np.ndarray:
        starts = np.asarray(node["jc"][()]).astype(np.int64)
        shape = int(node.attrs["MATLAB_sparse"]), len(starts) - 1
        self._take(node.name, math.prod(shape), 8)
        rows, values = ((np.asarray(node[name][()]) if name in node else np.zeros(0)) for name in ("ir", "data"))
        return dense(rows.astype(np.int64), starts, values, shape)

    def _take(self, name: str, count: int, item_bytes: int) -> None:
        self._bytes_left -= count * item_bytes
        if self._bytes_left < 0 or count < 0:
            raise ValueError(f"{name} has {count} values, which is too many")


def _text(attribute: Any) -> str:
    return attribute.decode("latin-1") if isinstance(attribute, bytes) else str(attribute)
