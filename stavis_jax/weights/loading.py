"""Finds and reads weights, whatever they are in: a .pth file, a converted directory, a training's workdir."""

import logging
from pathlib import Path
from typing import NamedTuple

from data_pipelines.runtime.errors import UserError
from stavis_jax.models import fusion
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights import checkpoint_kinds
from stavis_jax.weights.directory import WeightsInfo, is_weights_directory, read_weights
from stavis_jax.weights.flat_names import Weights
from stavis_jax.weights.pytorch_file import read_checkpoint
from stavis_jax.weights.transfer import from_pytorch

VISUAL, AUDIOVISUAL = "visual", "l3mul-s3"  # what the authors' code has
KEPT_BY_TRAINING = ("last", "best")  # WORKDIR/<variant>/<one of these>, the first there is

log = logging.getLogger("stavis_jax")


class PyTorchWeights(NamedTuple):
    """A .pth file's arrays, what they are, and the keys that were not needed."""

    weights: Weights
    info: WeightsInfo
    unused: list[str]


def load_weights(path: Path | str, variant: str | None = None) -> tuple[Weights, WeightsInfo]:
    """Reads weights of any kind.

    A STAViS checkpoint comes with all its arrays, whatever the variant; `info.variant` is the one asked for. Without
    one, it is the one that a directory was converted for or trained as; of a workdir, the one that uses sound; of a
    .pth file, the visual one if the sound part was never trained, and a line in the log says so.

    Raises:
      UserError: nothing there, another format, damaged, or an unknown variant.
    """
    path = Path(path)
    check_variant(variant)
    if not path.exists():
        raise UserError(f"{path}: no such file or directory. Give a .pth file, a converted directory or a workdir.")
    if path.is_file():
        weights, info, _ = read_pytorch_weights(path, variant)
        if info.kind == "stavis" and variant is None:
            log.warning("%s: taken as %s, since %s.", path, info.variant, reason(info.variant))
        return weights, info
    return read_weights(find_directory(path, variant))


def read_pytorch_weights(path: Path | str, variant: str | None = None) -> PyTorchWeights:
    """Reads a .pth file: kind, depth and shortcut type from its contents, the variant too unless given.

    Raises:
      UserError: as `load_weights`; or a variant that the authors' code does not have.
    """
    path = Path(path)
    checkpoint = read_checkpoint(path)
    kind = checkpoint_kinds.kind_of(checkpoint.state, str(path))
    depth = shortcut = None
    if kind != "soundnet":
        depth, shortcut = (
            checkpoint_kinds.depth_of(checkpoint.state, str(path)),
            checkpoint_kinds.shortcut_of(checkpoint.state),
        )
        if checkpoint.architecture not in (None, "", f"resnet-{depth}"):
            log.warning("%s: says %s, but its arrays are resnet-%d's.", path, checkpoint.architecture, depth)
    if kind == "stavis":
        if variant not in (None, VISUAL, AUDIOVISUAL):
            raise UserError(f"{path}: the authors' checkpoints are {VISUAL} or {AUDIOVISUAL}, not {variant}.")
        variant = variant or (VISUAL if checkpoint_kinds.has_untrained_sound(checkpoint.state) else AUDIOVISUAL)
    weights, batches_tracked, unused = from_pytorch(checkpoint.state, kind, depth, shortcut, str(path))
    info = WeightsInfo(
        kind,
        variant if kind == "stavis" else None,
        depth,
        shortcut,
        source=path.name,
        epoch=checkpoint.epoch,
        batches_tracked=batches_tracked,
    )
    return PyTorchWeights(weights, info, unused)


def find_directory(path: Path, variant: str | None = None) -> Path:
    """The converted directory that `path` is, or that a training left in it.

    Raises:
      UserError: there is none, or none of that variant.
    """
    if is_weights_directory(path):
        return path
    here = _kept(path)
    if here is not None:
        return here
    trained = {name: kept for name in fusion.VARIANTS if (kept := _kept(path / name)) is not None}
    if not trained:
        raise UserError(
            f"{path}: neither a converted checkpoint nor a training's workdir. "
            "Convert with `python -m stavis_jax.convert`, or train with `python -m stavis_jax.main`."
        )
    if variant is None:
        variant = max(trained, key=lambda name: fusion.VARIANTS[name].uses_sound)  # the first of equals
        log.info("%s: %s is taken.", path, trained[variant])
    elif variant not in trained:
        raise UserError(f"{path}: {variant} is not trained here, only {', '.join(trained)}. Give one of these.")
    return trained[variant]


def check_variant(variant: str | None) -> None:
    """Raises UserError if `variant` is neither None nor on the list; the message gives the list."""
    try:
        NetworkConfig(variant or AUDIOVISUAL)
    except ValueError as error:
        raise UserError(f"{error}. Give one of them.") from error


def reason(variant: str) -> str:
    """Why a .pth file was taken as that variant."""
    return "its sound part was never trained" if variant == VISUAL else "its sound part is trained"


def _kept(directory: Path) -> Path | None:
    return next((directory / name for name in KEPT_BY_TRAINING if is_weights_directory(directory / name)), None)
