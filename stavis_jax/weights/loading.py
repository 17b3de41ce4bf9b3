"""Finds and reads weights of every form: a .pth file, a converted directory, a training's workdir."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

from data_pipelines.runtime.errors import UserError
from stavis_jax.models import fusion
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.checkpoint_kinds import architecture_of, has_untrained_sound
from stavis_jax.weights.directory import WeightsInfo, is_weights_directory, read_weights
from stavis_jax.weights.flat_names import Weights
from stavis_jax.weights.pytorch_file import read_checkpoint
from stavis_jax.weights.transfer import from_pytorch

VISUAL, AUDIOVISUAL = "visual", "l3mul-s3"  # the systems of the authors' code
REASONS = {VISUAL: "its sound part was never trained", AUDIOVISUAL: "its sound part is trained"}
KEPT_BY_TRAINING = ("last", "best")  # WORKDIR/<variant>/<one of these>; the first one found is read

log = logging.getLogger("stavis_jax")


class PyTorchWeights(NamedTuple):
    """The arrays of a .pth file, their description, and the keys that are not needed."""

    weights: Weights
    info: WeightsInfo
    unused: list[str]


def load_weights(path: Path | str, variant: str | None = None) -> tuple[Weights, WeightsInfo]:
    """Reads weights of any form.

    All arrays of a STAViS checkpoint are returned, whatever the variant. `info.variant` is the given variant. If none
    is given, it is the variant that a converted or trained directory records; of a workdir with several, the one that
    uses sound. A .pth file counts as visual if its sound part was never trained; a line in the log says so.

    Raises:
      UserError: the path does not exist, has another format or is damaged, or the variant is unknown.
    """
    path = Path(path)
    check_variant(variant)
    if not path.exists():
        raise UserError(f"{path}: no such file or directory. Give a .pth file, a converted directory or a workdir.")
    if path.is_file():
        weights, info, _ = read_pytorch_weights(path, variant)
        if info.kind == "stavis" and variant is None:
            log.warning("%s: taken as %s, since %s.", path, info.variant, REASONS[str(info.variant)])
        return weights, info
    return read_weights(find_directory(path, variant))


def read_pytorch_weights(path: Path | str, variant: str | None = None) -> PyTorchWeights:
    """Reads a .pth file. Finds kind, depth and shortcut type in its contents, and the variant if none is given.

    Raises:
      UserError: as `load_weights`; or the variant is not one of the authors' code.
    """
    path = Path(path)
    checkpoint = read_checkpoint(path)
    network = architecture_of(checkpoint.state, str(path))
    if network.depth and checkpoint.architecture not in (None, "", f"resnet-{network.depth}"):
        log.warning(
            "%s: says %s, but its arrays are those of resnet-%d.",
            path,
            checkpoint.architecture,
            network.depth,
        )
    if network.kind != "stavis":
        variant = None
    elif variant is None:
        variant = VISUAL if has_untrained_sound(checkpoint.state) else AUDIOVISUAL
    elif variant not in REASONS:
        raise UserError(f"{path}: the authors' checkpoints are {VISUAL} or {AUDIOVISUAL}, not {variant}.")
    weights, batches_tracked, unused = from_pytorch(checkpoint.state, network, str(path))
    about: dict[str, Any] = {"source": path.name, "epoch": checkpoint.epoch, "batches_tracked": batches_tracked}
    return PyTorchWeights(weights, WeightsInfo(variant=variant, **network._asdict(), **about), unused)


def find_directory(path: Path, variant: str | None = None) -> Path:
    """Returns `path` if it is a converted directory, otherwise the directory that a training wrote in it.

    Raises:
      UserError: there is no such directory, or none of that variant.
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
        variant = max(trained, key=lambda name: fusion.VARIANTS[name].uses_sound)
        log.info("%s: %s is taken.", path, trained[variant])
    elif variant not in trained:
        raise UserError(f"{path}: {variant} is not trained here, only {', '.join(trained)}. Give one of these.")
    return trained[variant]


def check_variant(variant: str | None) -> None:
    """Raises UserError, with the list of variants, if `variant` is neither None nor on the list."""
    try:
        NetworkConfig(variant or AUDIOVISUAL)
    except ValueError as error:
        raise UserError(f"{error}. Give one of them.") from error


def _kept(directory: Path) -> Path | None:
    return next((directory / name for name in KEPT_BY_TRAINING if is_weights_directory(directory / name)), None)
