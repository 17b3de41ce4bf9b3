"""Reads and writes PyTorch checkpoint files. torch is only imported when a file is read or written."""

import dataclasses
import re
import types
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_pipelines.runtime import atomic
from data_pipelines.runtime.errors import UserError

PREFIX = "module."  # DataParallel adds it to every key of the authors' files
PYTORCH_GIVEN = "Give a checkpoint that PyTorch saved."
OLDEST_TORCH = "2.6"  # older ones run code of files with weights_only=True too: CVE-2025-32434


@dataclasses.dataclass(frozen=True)
class PyTorchCheckpoint:
    """The contents of a file.

    Attributes:
      state: the state dict in the file's order, keys without `module.`.
      architecture: name of the trunk, such as "resnet-50", if the file has it.
      epoch: the epoch that a training would continue with, if the file has it.
    """

    state: dict[str, np.ndarray]
    architecture: str | None = None
    epoch: int | None = None


def read_checkpoint(path: Path | str) -> PyTorchCheckpoint:
    """Reads the tensors of a .pth file, zip or legacy format, saved from a CPU or a GPU. Runs no code from the file.

    Raises:
      UserError: the file does not exist, is no checkpoint, is damaged or would run code; or torch is not installed or
        too old to read untrusted files.
    """
    content = _load(Path(path))
    outer = content if isinstance(content, Mapping) else {}
    state = outer.get("state_dict", outer)
    if not isinstance(state, Mapping) or not state:
        raise UserError(f"{path}: holds no state dict. Give a checkpoint of a network's state_dict().")
    architecture, epoch = (outer.get(key) if state is not outer else None for key in ("arch", "epoch"))
    return PyTorchCheckpoint(
        _arrays(path, state),
        architecture if isinstance(architecture, str) else None,
        epoch if isinstance(epoch, int) else None,
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
        raise UserError(f"{path}: .pth files need PyTorch. Run pip install torch.") from error
    if torch.torch_version.TorchVersion(torch.__version__) < OLDEST_TORCH:
        raise UserError(
            f"{path}: PyTorch {torch.__version__} may run code from a file (CVE-2025-32434). "
            f"Run pip install 'torch>={OLDEST_TORCH}'."
        )
    return torch


def _load(path: Path) -> object:
    if path.is_dir():
        raise UserError(f"{path}: is a directory. {PYTORCH_GIVEN}")
    if not path.exists():
        raise UserError(f"{path}: no such file. {PYTORCH_GIVEN}")
    torch = _torch(path)
    _refuse_packed(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of unusual pickles; they load or fail below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, KeyError and EOFError among them
        runs = re.search(r"(?i)unsupported global:? (?:GLOBAL )?(\w[\w.]*)", str(error))
        if runs:
            raise UserError(
                f"{path}: refused, loading it would run code from the file ({runs[1]}). "
                "Give a file that holds tensors only: in PyTorch, save the network's state_dict()."
            ) from error
        raise UserError(
            f"{path}: not a PyTorch checkpoint, or damaged. {PYTORCH_GIVEN} If it was one, copy it again."
        ) from error


def _refuse_packed(path: Path) -> None:
    """Refuses zip bombs: torch does not compress, so a checkpoint never unpacks to more than its size."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # the legacy format, or a file that torch.load refuses
    if unpacked > path.stat().st_size:
        raise UserError(f"{path}: refused, it unpacks to more than its size. {PYTORCH_GIVEN}")


def _arrays(path: Path | str, state: Mapping) -> dict[str, np.ndarray]:
    torch, arrays, num_bytes = _torch(Path(path)), {}, Path(path).stat().st_size
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: {key!r} is not a tensor, so this is no state dict. {PYTORCH_GIVEN}")
        name = key.removeprefix(PREFIX)
        if name in arrays:
            raise UserError(f"{path}: {name} exists with and without {PREFIX!r} before it. Remove one of them.")
        if tensor.numel() > num_bytes:  # an expanded or sparse tensor, small only in the file
            raise UserError(f"{path}: {name} has more numbers than the file has bytes. {PYTORCH_GIVEN}")
        try:
            tensor = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
            array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        except (TypeError, RuntimeError, NotImplementedError) as error:  # quantised tensors, tensors without data
            raise UserError(
                f"{path}: {name} cannot be read ({str(error).partition('.')[0]}). {PYTORCH_GIVEN}"
            ) from error
        if array.dtype.kind not in "fiub":
            raise UserError(f"{path}: {name} holds {array.dtype} values, not numbers. {PYTORCH_GIVEN}")
        arrays[name] = array
    return arrays
