"""Reads a .safetensors file of float32 and float16 arrays into memory that JAX uses in place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.aligned_arrays import aligned_arrays

_FLOATS: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def read_floats(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays as float32 and read-only. Holds no array in memory twice.

    Raises:
      OSError: the file cannot be read.
      safetensors.SafetensorError: it is damaged.
      UserError: it holds other numbers. The message lacks the advice.
    """
    with safetensors.safe_open(path, "np"):
        pass  # it checks the file's header, and that the arrays fill the file
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        if other := [name for name, array in header.items() if array["dtype"] not in _FLOATS]:
            raise UserError(f"{path}: {', '.join(other)} are neither float32 nor float16")
        weights = aligned_arrays({name: tuple(array["shape"]) for name, array in header.items()})
        for name in sorted(header, key=lambda name: header[name]["data_offsets"]):
            dtype, array = _FLOATS[header[name]["dtype"]], weights[name]
            stored = array if dtype == array.dtype else np.empty(array.shape, dtype)
            if file.readinto(stored.reshape(-1).view(np.uint8).data) != stored.nbytes:
                raise OSError(0, "the file ends early", str(path))
            if stored is not array:
                array[...] = stored
    for array in weights.values():
        array.flags.writeable = False
    return weights
