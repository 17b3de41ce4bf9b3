"""Reads the pickles inside PyTorch checkpoints without PyTorch, and without running anything that they name.

A pickle may name any function to be called. Here, a name is looked up in a fixed list. Tensors, storages and
dictionaries become records of this module. What checkpoints often carry beside them (paths, NumPy scalars, a Namespace
of options) becomes an empty placeholder. Every other name is refused.
"""

import io
import math
import mmap
import pickle
import pickletools
import re
import struct
from typing import IO, Any, NamedTuple, cast

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
_PLACEHOLDERS = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|pathlib(\._local)?\.\w*Path"
    r"|numpy\.(_?core\.multiarray\.(scalar|_reconstruct)|_?core\.numeric\._frombuffer|ndarray|dtype|dtypes\.\w+DType)"
    r"|numpy\.(bool_?|u?int\d+|float\d+|str_|bytes_)|_codecs\.encode|copy_?reg\._reconstructor"
    r"|collections\.(defaultdict|Counter|deque)|datetime\.(datetime|date|time|timedelta|timezone)"
    r"|(builtins|__builtin__)\.(set|frozenset|list|dict|tuple|int|long|float|complex|str|unicode|bool|bytes|object|slice|x?range)"
    r"|torch\.(device|memory_format|contiguous_format|preserve_format|strided|layout|Generator)|torch\.serialization\._get_layout"
)
_REFUSED_OPCODES = ("EXT1", "EXT2", "EXT4", "INST", "OBJ", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER")
_MEMO_OPCODES = ("PUT", "BINPUT", "LONG_BINPUT")


class RefusedNameError(Exception):
    """A pickle names a function or a class that is not on the list. The message is the name."""


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


def read_pickle(file: io.BytesIO | mmap.mmap) -> tuple[Any, dict[str, Storage]]:
    """Reads the pickle that begins at the file's position, and leaves the position behind it.

    `file` is in memory or mapped, so that reading too many bytes reserves no memory.

    Returns:
      its value, and its storages by key.

    Raises:
      RefusedNameError: it names a function or a class that is not on the list.
      ValueError: it is damaged, or no pickle.
    """
    begin = file.tell()
    _check_opcodes(file)
    end = file.tell()
    file.seek(begin)
    reader = _Reader(io.BytesIO(file.read(end - begin)), encoding="utf-8")
    try:
        value = reader.load()
    except (RefusedNameError, MemoryError):
        raise
    except Exception as error:  # damaged pickles raise many kinds
        raise ValueError(f"damaged ({type(error).__name__})") from error
    return value, reader.storages


def _check_opcodes(file: io.BytesIO | mmap.mmap) -> None:
    """Walks through the opcodes and runs none. A memo of a huge index would make the unpickler reserve memory."""
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], file))):
            index = int(argument or 0) if opcode.name in _MEMO_OPCODES else 0
            if opcode.name in _REFUSED_OPCODES or index > max(count, 255):
                raise ValueError(f"{opcode.name} is not expected")
    except (ValueError, UnicodeDecodeError, IndexError, AssertionError, OverflowError, struct.error) as error:
        raise ValueError(f"no pickle ({error})") from error


class _Dictionary(dict):
    """Stands for OrderedDict: its attributes, such as `_metadata`, are left out."""

    __slots__ = ()

    def __setstate__(self, state):
        pass


class _Placeholder:
    """Stands for what a checkpoint carries beside tensors."""

    __slots__ = ()

    def __new__(cls, *arguments, **options):
        return object.__new__(cls)

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass

    def add(self, value):
        pass


class _StorageType(NamedTuple):
    dtype: np.dtype


def _tensor(storage, offset, shape, strides, *rest) -> Tensor:
    metadata = rest[2] if len(rest) > 2 else None
    if metadata:
        raise ValueError("a tensor whose conjugate or negative is stored")
    return _checked_tensor(storage, offset, shape, strides)


def _tensor_of_type(storage, offset, shape, strides, requires_grad, hooks, dtype, metadata=None) -> Tensor:
    if metadata or not isinstance(dtype, _StorageType) or not isinstance(storage, Storage):
        raise ValueError("a tensor of an unknown type")
    size, unit = dtype.dtype.itemsize, storage.dtype.itemsize
    typed = storage._replace(
        dtype=dtype.dtype, start=storage.start * unit // size, length=storage.length * unit // size
    )
    return _checked_tensor(typed, offset, shape, strides)


def _checked_tensor(storage, offset, shape, strides) -> Tensor:
    numbers = (offset, *shape, *strides)
    counts = all(type(number) is int and 0 <= number < 2**48 for number in numbers)
    if not isinstance(storage, Storage) or not counts or len(shape) != len(strides) or len(shape) > 32:
        raise ValueError("a tensor of an unknown form")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor, *rest):
    return tensor


def _of_type(rebuild, kind, arguments, state):
    if rebuild not in _FUNCTIONS.values():
        raise ValueError("a tensor of an unknown class")
    return rebuild(*arguments)


_FUNCTIONS = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_type,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
}
_LISTED = {
    **_FUNCTIONS,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    "torch.Tensor": _Placeholder,
    "torch.nn.parameter.Parameter": _Placeholder,
    "torch.Size": tuple,
    "collections.OrderedDict": _Dictionary,
}


class _Reader(pickle.Unpickler):
    def __init__(self, file, **options):
        super().__init__(file, **options)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in _LISTED:
            return _LISTED[full]
        if found := re.fullmatch(r"torch\.(?:cuda\.|storage\.)?_?(\w+)Storage", full):
            kind = _DTYPES.get(found[1])
            if kind is not None:
                return _StorageType(np.dtype(kind))
        if module == "torch" and name in _DTYPE_NAMES:
            return _StorageType(np.dtype(_DTYPE_NAMES[name]))
        if _PLACEHOLDERS.fullmatch(full):
            return _Placeholder
        raise RefusedNameError(full)

    def persistent_load(self, pid: Any) -> Storage:
        if not isinstance(pid, tuple) or not pid or pid[0] != "storage":
            raise RefusedNameError(
                getattr(pid[1], "__name__", "module") if isinstance(pid, tuple) and pid else "module"
            )
        _, kind, key, _, length, *view = pid
        if not isinstance(kind, _StorageType) or not isinstance(key, str) or type(length) is not int or length < 0:
            raise ValueError("a storage of an unknown form")
        whole = Storage(key, kind.dtype, 0, length)
        if self.storages.setdefault(key, whole).dtype.itemsize != whole.dtype.itemsize:
            raise ValueError("a storage of two types")
        if view and view[0]:
            _, start, part = view[0]
            if not (type(start) is int and type(part) is int and 0 <= start <= start + part <= length):
                raise ValueError("a part beyond its storage")
            return whole._replace(start=start, length=part)
        return whole
