"""Reads the weights of a .pth, .safetensors or .npy file as arrays of this project, with their description."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.checkpoint_kinds import architecture_of, has_untrained_sound
from stavis_jax.weights.directory import WeightsInfo
from stavis_jax.weights.flat_names import Weights
from stavis_jax.weights.pytorch_file import read_checkpoint
from stavis_jax.weights.safetensors_file import is_safetensors, read_safetensors
from stavis_jax.weights.soundnet_npy import is_npy, read_soundnet
from stavis_jax.weights.transfer import from_pytorch

VISUAL, AUDIOVISUAL = "visual", "l3mul-s3"  # the systems of the authors' code
REASONS = {VISUAL: "its sound part was never trained", AUDIOVISUAL: "its sound part is trained"}

log = logging.getLogger("stavis_jax")


class PyTorchWeights(NamedTuple):
    """The arrays of a file, their description, and what is not taken: keys, and the optimiser's state."""

    weights: Weights
    info: WeightsInfo
    unused: list[str]
    has_optimizer: bool


def read_pytorch_weights(path: Path | str, variant: str | None = None, state_dict: str | None = None) -> PyTorchWeights:
    """Reads a .pth file, a .safetensors file or the index of several, or SoundNet's .npy file.

    Finds kind, depth and shortcut type in its contents, and the variant if none is given.

    Args:
      path: the file.
      variant: the system to run by default.
      state_dict: name of one of several state dicts in a .pth file, such as "ema". If none is given, the network's own
        is read, and a line in the log says so.

    Raises:
      UserError: as `load_weights`; or the variant is not one of the authors' code.
    """
    path = Path(path)
    if is_safetensors(path) or is_npy(path):
        if state_dict is not None:
            raise UserError(f"--state-dict {state_dict}: {path} holds one state dict. Leave it out.")
        checkpoint = read_safetensors(path) if is_safetensors(path) else read_soundnet(path)
    else:
        checkpoint = read_checkpoint(path, state_dict)
    if checkpoint.others and state_dict is None:
        log.warning(
            "%s: its state dict %s is taken, not %s. To take another: python -m stavis_jax.convert --state-dict %s.",
            path,
            checkpoint.name,
            ", ".join(checkpoint.others),
            checkpoint.others[0],
        )
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
    return PyTorchWeights(
        weights, WeightsInfo(variant=variant, **network._asdict(), **about), unused, checkpoint.has_optimizer
    )
