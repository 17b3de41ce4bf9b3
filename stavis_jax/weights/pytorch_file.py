"""Reads and writes PyTorch checkpoint files. torch is imported when one is first read or written."""

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

PREFIX = "module."  # DataParallel's, on every key of the authors' files
PYTORCH_GIVEN = "Give a checkpoint that PyTorch saved."
OLDEST_TORCH = "2.6"  # before, files that hold tensors only could run code all the same: CVE-2025-32434


@dataclasses.dataclass(frozen=True)
class PyTorchCheckpoint:
    """A file's state dict, keys without `module.`, in the file's order; and what stood around it, if anything."""

    state: dict[str, np.ndarray]
    architecture: str | None = None  # "resnet-50"
    epoch: int | None = None


def read_checkpoint(path: Path | str) -> PyTorchCheckpoint:
    """Reads the tensors of a .pth file, zip or legacy format, saved from a CPU or a GPU; runs no code of the file's.

    Raises:
      UserError: there is no such file, it is no checkpoint, is damaged, or would run code; or torch is not installed,
        or too old to read strangers' files.
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
    """Writes a .pth file in torch's zip format, whole or not at all; `module.` before every key.

    With an architecture: {"epoch", "arch", "state_dict"} around the tensors, as the authors' training writes.
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
    except (OSError, RuntimeError) as error:  # RuntimeError is torch's for a full disk
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise UserError(f"{path}: cannot be written ({reason}). Give another --output.") from error


def _torch(path: Path) -> types.ModuleType:
    try:
        import torch
    except ImportError as error:
        raise UserError(f"{path}: .pth files need PyTorch. Run pip install torch.") from error
    if torch.torch_version.TorchVersion(torch.__version__) < OLDEST_TORCH:
        raise UserError(
            f"{path}: PyTorch {torch.__version__} may run code of a file's (CVE-2025-32434). "
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
            warnings.simplefilter("ignore")  # of unusual pickles: they load, or the error below says it
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on a file it cannot read, KeyError and EOFError among them
        runs = re.search(r"(?i)unsupported global:? (?:GLOBAL )?(\w[\w.]*)", str(error))
        if runs:
            raise UserError(
                f"{path}: refused, loading it would run code of its own ({runs[1]}). "
                "Give a file that holds tensors only: in PyTorch, save the network's state_dict()."
            ) from error
        raise UserError(
            f"{path}: not a PyTorch checkpoint, or damaged. {PYTORCH_GIVEN} Perhaps copy it again."
        ) from error


def _refuse_packed(path: Path) -> None:
    """torch packs nothing: a zip file that unpacks to more than it is would only fill the memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # the legacy format, or something that torch.load refuses
    if unpacked > path.stat().st_size:
        raise UserError(f"{path}: refused, it unpacks to more than its size. {PYTORCH_GIVEN}")


def _arrays(path: Path | str, state: Mapping) -> dict[str, np.ndarray]:
    torch, arrays, num_bytes = _torch(Path(path)), {}, Path(path).stat().st_size
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise UserError(f"{path}: {key!r} is not a tensor, so this is no state dict. {PYTORCH_GIVEN}")
        name = key.removeprefix(PREFIX)
        if name in arrays:
            raise UserError(f"{path}: {name} is there with and without {PREFIX!r} before it. Remove one of them.")
        if tensor.numel() > num_bytes:  # one number repeated, or none: small in the file, any size in memory
            raise UserError(f"{path}: {name} has more numbers than the file has bytes. {PYTORCH_GIVEN}")
        try:
            tensor = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
            array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        except (TypeError, RuntimeError, NotImplementedError) as error:  # quantised, on no device, and the like
            raise UserError(
                f"{path}: {name} cannot be read ({str(error).partition('.')[0]}). {PYTORCH_GIVEN}"
            ) from error
        if array.dtype.kind not in "fiub":
            raise UserError(f"{path}: {name} holds {array.dtype} values, not numbers. {PYTORCH_GIVEN}")
        arrays[name] = array
    return arrays
