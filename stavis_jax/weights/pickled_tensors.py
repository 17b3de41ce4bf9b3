"""Tensors and storages as the pickles of PyTorch describe them: where their numbers are, and how they are laid out."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

_DTYPES = {
    "Double": np.float64,
    "Float": np.float32,
    "Half": np.float16,
    "BFloat16": ml_dtypes.bfloat16,
    "Long": np.int64,
    "Int": np.int32,
    "Short": np.int16,
    "Char": np.int8,
    "Byte": np.uint8,
    "Bool": np.bool_,
    "Untyped": np.uint8,
    "ComplexFloat": np.complex64,
    "ComplexDouble": np.complex128,
    "QUInt8": np.uint8,
    "QInt8": np.int8,
    "QInt32": np.int32,
}
_DTYPE_NAMES = {  # those of tensors whose storage is untyped
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float64": np.float64,
    "double": np.float64,
    "float32": np.float32,
    "float": np.float32,
    "float16": np.float16,
    "half": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint8": np.uint8,
    "bool": np.bool_,
}
_MOST_AXES = 32


class Storage(NamedTuple):
    """Numbers of one or more tensors, which are stored outside of the pickle.

    Attributes:
      key: its name in the file.
      dtype: number format.
      start, length: the part of the stored numbers that it has, in numbers. Only the oldest files have parts.
    """

    key: str
    dtype: np.dtype
    start: int
    length: int


class Tensor(NamedTuple):
    """A strided view of a storage; offset and strides count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def array(self, stored: np.ndarray) -> np.ndarray:
        """Returns the tensor as a view of its storage's numbers, [N].

        Raises:
          ValueError: it reaches beyond them.
        """
        if not self.size:
            return np.empty(self.shape, stored.dtype)
        reach = sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        if self.offset + reach >= len(stored):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stored.dtype.itemsize * stride for stride in self.strides]
        return np.lib.stride_tricks.as_strided(stored[self.offset :], self.shape, strides, writeable=False)


class UnreadableTensor(NamedTuple):
    """A tensor of a kind that has no plain array. `kind` is for errors."""

    kind: str


AnyTensor = Tensor | UnreadableTensor


class StorageType(NamedTuple):
    """A class of storages, or a dtype."""

    dtype: np.dtype


def storage_type(module: str, name: str) -> StorageType | None:
    """Returns what `module.name` is if it names a class of storages or a dtype of PyTorch."""
    if found := re.fullmatch(r"torch\.(?:cuda\.|storage\.)?_?(\w+)Storage", f"{module}.{name}"):
        kind: Any = _DTYPES.get(found[1])
    else:
        kind = _DTYPE_NAMES.get(name) if module == "torch" else None
    return None if kind is None else StorageType(np.dtype(kind))


def _tensor(storage, offset, shape, strides, *rest) -> AnyTensor:
    if len(rest) > 2 and rest[2]:  # it stands for the conjugate or the negative of its numbers
        return UnreadableTensor("a conjugate or negative view")
    return _checked_tensor(storage, offset, shape, strides)


def _typed_tensor(storage, offset, shape, strides, requires_grad, hooks, dtype, metadata=None) -> Tensor:
    if metadata or not isinstance(dtype, StorageType) or not isinstance(storage, Storage):
        raise ValueError("a tensor of an unknown type")
    size, unit = dtype.dtype.itemsize, storage.dtype.itemsize
    typed = storage._replace(
        dtype=dtype.dtype, start=storage.start * unit // size, length=storage.length * unit // size
    )
    return _checked_tensor(typed, offset, shape, strides)


def _checked_tensor(storage, offset, shape, strides) -> Tensor:
    if not isinstance(storage, Storage) or not len(shape) == len(strides) <= _MOST_AXES:
        raise ValueError("a tensor of an unknown form")
    if not all(type(number) is int and 0 <= number < 2**48 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor of an unknown form")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor, *rest):
    return tensor


def _of_type(function, kind, arguments, state):
    return rebuild(function.name, arguments)


_REBUILD: dict[str, Callable[..., AnyTensor]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
}


_UNREADABLE = {"_qtensor": "a quantised tensor", "_sparse_": "a sparse tensor", "_meta_": "a tensor without numbers"}


def rebuild(name: str, arguments: tuple) -> AnyTensor:
    """Returns the tensor that the function `name` of PyTorch would make of its arguments.

    Raises:
      ValueError, TypeError: it would make none.
    """
    if name in _REBUILD:
        return _REBUILD[name](*arguments)
    return UnreadableTensor(next((kind for part, kind in _UNREADABLE.items() if part in name), name))


def rebuilds_tensors(name: str) -> bool:
    """Returns whether a function of PyTorch makes tensors, also of kinds that are not supported: sparse, quantised."""
    return re.fullmatch(r"torch\._(utils|tensor)\._rebuild_\w+", name) is not None


def storage_of(persistent_id: Any) -> Storage:
    """Returns the storage that a persistent id describes: ("storage", class, key, device, length[, part]).

    Raises:
      ValueError: it describes something else.
    """
    _, kind, key, _, length, *part = persistent_id
    if not isinstance(kind, StorageType) or not isinstance(key, str) or type(length) is not int or length < 0:
        raise ValueError("a storage of an unknown form")
    whole = Storage(key, kind.dtype, 0, length)
    if not (part and part[0]):
        return whole
    _, start, count = part[0]
    if not (type(start) is int and type(count) is int and 0 <= start <= start + count <= length):
        raise ValueError("a part beyond its storage")
    return whole._replace(start=start, length=count)
