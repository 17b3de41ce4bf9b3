"""Reads and writes PyTorch checkpoint files. torch is only imported when a file is written."""

import dataclasses
import struct
import tarfile
import types
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.pickled_tensors import AnyTensor, Tensor
from stavis_jax.weights.pytorch_containers import Content, read_container
from stavis_jax.weights.restricted_pickle import RefusedNameError
from stavis_jax.weights.state_dicts import WHOLE_FILE, find_state_dict, finite_arrays, plain_names

PREFIX = "module."  # DataParallel adds it to every key of the authors' files
PYTORCH_GIVEN = "Give a checkpoint that PyTorch saved."
DAMAGED = (
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclasses.dataclass(frozen=True)
class PyTorchCheckpoint:
    """The contents of a file.

    Attributes:
      state: the state dict in the file's order, keys without `module.` and other wrappers' prefixes.
      architecture: name of the trunk, such as "resnet-50", if the file has it.
      epoch: the epoch that a training would continue with, if the file has it.
      name: name of the state dict in the file, such as "model".
      others: names of other state dicts in the file, such as "ema".
      has_optimizer: whether the file has the optimiser's state too.
    """

    state: dict[str, np.ndarray]
    architecture: str | None = None
    epoch: int | None = None
    name: str = ""
    others: tuple[str, ...] = ()
    has_optimizer: bool = False


def read_checkpoint(path: Path | str, name: str | None = None) -> PyTorchCheckpoint:
    """Reads the tensors of a .pth file, zip or legacy format, saved from a CPU or a GPU.

    Needs no PyTorch, and runs no code from the file. A state dict may lie inside of others, under any name.

    Args:
      path: the file.
      name: which state dict to read, such as "ema", if the file has several; None is the network's own.

    Raises:
      UserError: the file does not exist, is no checkpoint, is damaged or names code to run; or a value of it is not
        finite.
    """
    path = Path(path)
    content = _load(path)
    found = find_state_dict(content.value, str(path), name)
    outer = content.value if found.name != WHOLE_FILE else {}
    architecture, epoch = outer.get("arch"), outer.get("epoch")
    return PyTorchCheckpoint(
        _arrays(path, found.state, content),
        architecture if isinstance(architecture, str) else None,
        epoch if isinstance(epoch, int) else None,
        found.name,
        found.others,
        any("optim" in key for key in outer if isinstance(key, str)),
    )


def write_checkpoint(path: Path | str, checkpoint: PyTorchCheckpoint) -> None:
    """Writes a .pth file in torch's zip format, whole or not at all, with `module.` before every key.

    With an architecture, the file is {"epoch", "arch", "state_dict"}, as the authors' training writes it.
    """
    path, torch = Path(path), _torch(path)
    state = {PREFIX + key: torch.from_numpy(np.array(array)) for key, array in checkpoint.state.items()}
    content = state
    if checkpoint.architecture:
        content = {"epoch": checkpoint.epoch or 1, "arch": checkpoint.architecture, "state_dict": state}
    try:
        with atomic.temporary_folder_beside(path) as aside:
            with (aside / "new").open("wb") as file:
                torch.save(content, file)
            (aside / "new").replace(path)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError on a full disk
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise UserError(f"{path}: cannot be written ({reason}). Give another --output.") from error


def _torch(path: Path) -> types.ModuleType:
    try:
        import torch
    except ImportError as error:
        raise UserError(f"{path}: .pth files need PyTorch to be written. Run pip install torch.") from error
    return torch


def _load(path: Path) -> Content:
    if path.is_dir():
        raise UserError(f"{path}: is a directory. {PYTORCH_GIVEN}")
    if not path.exists():
        raise UserError(f"{path}: no such file. {PYTORCH_GIVEN}")
    try:
        _refuse_packed(path)
        return read_container(path)
    except RefusedNameError as error:
        raise UserError(
            f"{path}: refused, loading it would run code from the file ({error}). "
            "Give a file that holds tensors only: in PyTorch, save the network's state_dict()."
        ) from error
    except (*DAMAGED, OSError) as error:
        if _is_tar(path):
            raise UserError(
                f"{path}: saved by PyTorch 0.1. Load it with a later PyTorch, and save its state_dict() again."
            ) from error
        raise _damaged(path) from error


def _is_tar(path: Path) -> bool:
    """Returns whether a file is a tar archive with something in it, as zeros are not.

    Compressed ones need no look: PyTorch wrote none, and to unpack a large file of zeros takes minutes.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            return archive.next() is not None
    except (tarfile.TarError, OSError):
        return False


def _damaged(path: Path) -> UserError:
    return UserError(f"{path}: not a PyTorch checkpoint, or damaged. {PYTORCH_GIVEN} If it was one, copy it again.")


def _refuse_packed(path: Path) -> None:
    """Refuses zip bombs: PyTorch does not compress, so a checkpoint never unpacks to more than its size."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > path.stat().st_size:
        raise UserError(f"{path}: refused, it unpacks to more than its size. {PYTORCH_GIVEN}")


def _arrays(path: Path, state: Mapping[str, AnyTensor], content: Content) -> dict[str, np.ndarray]:
    names, numbers_left = plain_names(state, str(path)), 2 * path.stat().st_size
    tensors = []
    for name, tensor in zip(names, state.values(), strict=True):
        if not isinstance(tensor, Tensor) or tensor.storage.dtype.kind == "c":
            kind = tensor.storage.dtype if isinstance(tensor, Tensor) else tensor.kind
            raise UserError(f"{path}: {name} cannot be read ({kind}). Give a checkpoint of plain tensors.")
        numbers_left -= tensor.size
        if numbers_left < 0:  # an expanded tensor, small only in the file
            raise UserError(f"{path}: {name} has more numbers than the file has bytes. {PYTORCH_GIVEN}")
        tensors.append(tensor)
    try:
        return dict(finite_arrays(zip(names, content.read(tensors), strict=True), str(path)))
    except DAMAGED as error:
        raise _damaged(path) from error
