"""Reads the two containers in which PyTorch saves: a zip archive, since 1.6, and the stream of pickles before that."""

import io
import mmap
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stavis_jax.weights.pickled_tensors import Tensor
from stavis_jax.weights.restricted_pickle import read_pickle

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_STREAM_VERSION = 1001


class Content(NamedTuple):
    """The value that was saved, with `Tensor` records in it, and a function that reads their numbers."""

    value: Any
    read: Callable[[Iterable[Tensor]], Iterator[np.ndarray]]


def read_container(path: Path) -> Content:
    """Reads the structure of a file, and no numbers yet.

    Raises:
      RefusedNameError: it names a function or a class that may run code.
      ValueError, KeyError, struct.error, zipfile.BadZipFile, EOFError: it is no PyTorch file, or damaged.
      OSError: it cannot be read.
    """
    return _read_zip(path) if zipfile.is_zipfile(path) else _read_stream(path)


def _read_zip(path: Path) -> Content:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        pickles = [name for name in members if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(pickles) != 1:
            raise ValueError("not one data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        order = archive.read(folder + "byteorder") if folder + "byteorder" in members else b"little"
        value, _ = read_pickle(io.BytesIO(archive.read(pickles[0])))
    swapped = order.strip() == b"big"

    def read(tensors: Iterable[Tensor]) -> Iterator[np.ndarray]:
        stored: dict[str, bytes] = {}
        with zipfile.ZipFile(path) as archive:
            for tensor in tensors:
                key = tensor.storage.key
                if key not in stored:
                    stored[key] = archive.read(f"{folder}data/{key}")  # checks the CRC
                yield _array(tensor, stored[key], swapped)

    return Content(value, read)


def _read_stream(path: Path) -> Content:
    """Reads pickles: a magic number, a version, facts of the machine, the value and the storages' keys. Numbers follow.

    The numbers are little-endian, whatever the machine was.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if read_pickle(mapped)[0] != _MAGIC_NUMBER or read_pickle(mapped)[0] != _STREAM_VERSION:
        raise ValueError("not written by PyTorch")
    _, (value, storages), keys = read_pickle(mapped), read_pickle(mapped), read_pickle(mapped)[0]
    if not isinstance(keys, list):
        raise ValueError("not written by PyTorch")
    stored: dict[str, bytes] = {}
    for key in keys:
        if not isinstance(key, str):
            raise ValueError("a storage without a name")
        (count,) = struct.unpack("<q", mapped.read(8))
        num_bytes = count * storages[key].dtype.itemsize
        if not 0 <= num_bytes <= len(mapped) - mapped.tell():
            raise ValueError("a storage beyond the end of the file")
        stored[key] = mapped.read(num_bytes)
    return Content(value, lambda tensors: (_array(tensor, stored[tensor.storage.key]) for tensor in tensors))


def _array(tensor: Tensor, content: bytes, swapped: bool = False) -> np.ndarray:
    storage = tensor.storage
    numbers = np.frombuffer(content, storage.dtype, len(content) // storage.dtype.itemsize)
    if len(numbers) < storage.start + storage.length:
        raise ValueError("a storage that is shorter than it says")
    numbers = numbers[storage.start : storage.start + storage.length]
    if swapped:
        numbers = numbers.byteswap()
    return tensor.array(numbers)
