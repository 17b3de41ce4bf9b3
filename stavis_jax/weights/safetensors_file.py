"""Reads PyTorch state dicts from .safetensors files: one file, or several with an index."""

from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors

from data_pipelines.runtime.errors import UserError, reason
from data_pipelines.runtime.json_files import read_object
from data_pipelines.runtime.limits import is_name
from stavis_jax.weights.directory import ARRAYS_FILE, is_weights_directory
from stavis_jax.weights.pytorch_file import PyTorchCheckpoint
from stavis_jax.weights.state_dicts import finite_arrays, plain_names

SUFFIX, INDEX_SUFFIX = ".safetensors", ".safetensors.index.json"
ADVICE = "Copy it again."
_DTYPES: dict[str, type] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def find_state_dict_file(path: Path) -> Path:
    """Returns the .safetensors file or index in the folder `path`, if it is a folder with one; otherwise `path`.

    Our own file of arrays belongs to its directory: for this file, returns the directory.
    """
    if path.name == ARRAYS_FILE and is_weights_directory(path.parent):
        return path.parent
    if not path.is_dir() or is_weights_directory(path):
        return path
    for suffix in (INDEX_SUFFIX, SUFFIX):
        found = list(path.glob(f"*{suffix}"))
        if len(found) == 1:
            return found[0]
    return path


def is_safetensors(path: Path) -> bool:
    return path.name.endswith((SUFFIX, INDEX_SUFFIX))


def read_safetensors(path: Path) -> PyTorchCheckpoint:
    """Reads the state dict of a .safetensors file, or of the files of an index: {"weight_map": {key: file}}.

    Raises:
      UserError: a file is missing or damaged, or a value is not finite.
    """
    stored = _read_shards(path) if path.name.endswith(INDEX_SUFFIX) else dict(_read_file(path))
    names = plain_names(stored, str(path))
    return PyTorchCheckpoint(dict(finite_arrays(zip(names, stored.values(), strict=True), str(path))))


def _read_shards(index: Path) -> dict[str, np.ndarray]:
    files = read_object(index, ADVICE).get("weight_map")
    if not isinstance(files, dict) or not all(isinstance(name, str) for name in files.values()):
        raise UserError(f"{index}: damaged (it has no weight_map). {ADVICE}")
    stored: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(files.values()):
        if Path(name).name != name or not is_name(name):
            raise UserError(
                f"{index}: names a file of another folder, {name}. Give an index whose files lie beside it."
            )
        stored |= {key: array for key, array in _read_file(index.with_name(name)) if files.get(key) == name}
    if missing := sorted(set(files) - set(stored)):
        raise UserError(f"{index.with_name(files[missing[0]])}: lacks {', '.join(missing[:5])}. {ADVICE}")
    return stored


def _read_file(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)}). {ADVICE}") from error
    for name, tensor in tensors:
        if tensor["dtype"] not in _DTYPES:
            raise UserError(
                f"{path}: {name} holds {tensor['dtype']} values, which are not supported. Save it as float32."
            )
        dtype = np.dtype(_DTYPES[tensor["dtype"]]).newbyteorder("<")
        yield name, np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
