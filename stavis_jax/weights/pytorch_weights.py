"""Reads the weights of a .pth file as arrays of this project, with their description."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.checkpoint_kinds import architecture_of, has_untrained_sound
from stavis_jax.weights.directory import WeightsInfo
from stavis_jax.weights.flat_names import Weights
from stavis_jax.weights.pytorch_file import read_checkpoint
from stavis_jax.weights.transfer import from_pytorch

VISUAL, AUDIOVISUAL = "visual", "l3mul-s3"  # the systems of the authors' code
REASONS = {VISUAL: "its sound part was never trained", AUDIOVISUAL: "its sound part is trained"}

log = logging.getLogger("stavis_jax")


class PyTorchWeights(NamedTuple):
    """The arrays of a .pth file, their description, and the keys that are not needed."""

    weights: Weights
    info: WeightsInfo
    unused: list[str]


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
