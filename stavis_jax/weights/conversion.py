"""Converts PyTorch checkpoints to the project's directories, and back to files that the authors' code loads."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import expected_shapes, new_network, read_network
from stavis_jax.weights.loading import check_variant, load_weights, missing_checkpoint
from stavis_jax.weights.pytorch_file import PyTorchCheckpoint, write_checkpoint
from stavis_jax.weights.pytorch_weights import AUDIOVISUAL, REASONS, VISUAL, read_pytorch_weights
from stavis_jax.weights.transfer import missing_arrays, to_pytorch

PYTORCH_SUFFIXES = (".pth", ".pt", ".tar")
CONTENTS = {"stavis": "STAViS", "kinetics": "3D ResNet trunk", "soundnet": "SoundNet"}


class FilledCheckpoint(NamedTuple):
    """A checkpoint, and the names of missing arrays that were filled with starting values."""

    checkpoint: PyTorchCheckpoint
    filled: list[str]


def convert(
    source: Path,
    output: Path,
    variant: str | None = None,
    *,
    state_dict: str | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> dict[str, str]:
    """Converts a file to a directory, or a directory to a file. Returns a summary, label to text.

    With `half`, a directory is copied instead, with its kernels stored as float16.

    Raises:
      UserError: `source` does not exist or cannot be converted, or `output` exists or cannot be written.
    """
    if not source.exists():
        raise missing_checkpoint(source)
    if output.exists() and not overwrite:
        raise UserError(f"{output}: exists already. Give --overwrite to replace it, or another --output.")
    check_variant(variant)
    if half:
        return to_half(source, output, variant, overwrite=overwrite)
    if source.is_file():
        return pytorch_to_directory(source, output, variant, state_dict=state_dict, overwrite=overwrite)
    if state_dict is not None:
        raise UserError(f"--state-dict {state_dict}: {source} is a directory, which holds one network. Leave it out.")
    return directory_to_pytorch(source, output, variant)


def pytorch_to_directory(
    file: Path,
    directory: Path,
    variant: str | None = None,
    *,
    state_dict: str | None = None,
    overwrite: bool = False,
) -> dict[str, str]:
    """Converts a .pth, .safetensors or .npy file to a directory. Returns a summary.

    `state_dict`: see `read_pytorch_weights`.

    Raises:
      UserError: the file cannot be converted, or the directory cannot be written.
    """
    if directory.suffix in PYTORCH_SUFFIXES:
        raise UserError(f"--output {directory}: a .pth file is converted to a directory. Give a directory's name.")
    weights, info, unused, has_optimizer = read_pytorch_weights(file, variant, state_dict)
    if variant and info.kind != "stavis":
        raise UserError(f"--variant {variant}: {file} holds {info.kind} weights, which have no variant. Leave it out.")
    save_weights(directory, weights, info, overwrite=overwrite)
    reason = "" if variant or info.kind != "stavis" else f" ({REASONS[str(info.variant)]})"
    not_needed = f", {len(unused)} not needed ({_parts(unused)})" if unused else ""
    summary = _summary(info, reason) | {"arrays": f"{len(weights)} used{not_needed}"}
    if has_optimizer:
        summary["left out"] = "the optimiser's state: a training from these weights starts with a new one"
    return summary | {"written": str(directory)}


def directory_to_pytorch(directory: Path, file: Path, variant: str | None = None) -> dict[str, str]:
    """Converts a directory, or what a training left in a workdir, to a .pth file. Returns a summary.

    Raises:
      UserError: the directory cannot be converted, or the file cannot be written.
    """
    if file.is_dir():
        raise UserError(f"--output {file}: is a directory. Give the name of a .pth file.")
    if file.suffix not in PYTORCH_SUFFIXES:
        raise UserError(f"--output {file}: a directory is converted to a .pth file. Give a name that ends in .pth.")
    weights, info = load_weights(directory, variant)
    checkpoint, filled = to_checkpoint(weights, info, str(directory))
    write_checkpoint(file, checkpoint)
    untrained = f", {len(filled)} of them starting values ({_parts(filled)}: not trained)" if filled else ""
    return _summary(info) | {"tensors": f"{len(checkpoint.state)}{untrained}", "written": str(file)}


def to_half(source: Path, directory: Path, variant: str | None = None, *, overwrite: bool = False) -> dict[str, str]:
    """Writes a directory with the kernels of any checkpoint as float16. Returns a summary.

    Arrays of one axis stay float32: they are small, and variances may exceed float16.

    Raises:
      UserError: `source` cannot be read, a value is too large for float16, or the directory cannot be written.
    """
    if directory.suffix in PYTORCH_SUFFIXES:
        raise UserError(f"--output {directory}: --half writes a directory. Give a directory's name.")
    weights, info = load_weights(source, variant)
    with np.errstate(over="ignore"):
        halved = {name: array.astype(np.float16) if array.ndim > 1 else array for name, array in weights.items()}
    if large := [name for name, array in halved.items() if not np.isfinite(array).all()]:
        raise UserError(f"--half: {source}: {', '.join(large)} do not fit into float16. Leave --half out.")
    save_weights(directory, halved, info, overwrite=overwrite)
    return _summary(info) | {"arrays": f"{len(halved)}, kernels as float16", "written": str(directory)}


def to_checkpoint(weights: Mapping[str, np.ndarray], info: WeightsInfo, source: str) -> FilledCheckpoint:
    """Converts weights to the authors' names, layouts and order.

    Their files hold the sound part even of a visual network. If it is missing, it gets the starting values of seed 0.

    Raises:
      UserError: the authors' code does not have this system, or arrays are missing; the message starts with `source`.
    """
    if info.kind == "stavis" and info.variant not in REASONS:
        raise UserError(f"{source}: the authors' code has no {info.variant}, only {VISUAL} and {AUDIOVISUAL}.")
    needed = expected_shapes(info.network_config()) if info.kind == "stavis" else ()
    filled = missing_arrays(weights, info.architecture)
    lost = [name for name in filled if info.variant != VISUAL or name in needed]
    if lost:
        raise UserError(f"{source}: damaged, lacks {', '.join(lost)}. Convert or train again.")
    if filled:
        config = info.network_config(AUDIOVISUAL)
        weights = read_network(new_network(config, seed=0)) | dict(weights)
    state = to_pytorch(weights, info.batches_tracked, info.architecture)
    name = f"resnet-{info.depth}" if info.depth else None  # SoundNet files are a bare state dict
    return FilledCheckpoint(PyTorchCheckpoint(state, name, info.epoch), filled)


def _summary(info: WeightsInfo, reason: str = "") -> dict[str, str]:
    summary = {"holds": CONTENTS[info.kind]}
    if info.depth:
        summary["depth"] = f"{info.depth}, shortcut type {info.shortcut}"
    if info.variant:
        summary["variant"] = info.variant + reason
    return summary


def _parts(names: Iterable[str]) -> str:
    """Returns the first parts of names, such as "layer4, fc"."""
    return ", ".join(dict.fromkeys(name.replace("/", ".").split(".")[0] for name in names))
