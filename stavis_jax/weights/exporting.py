"""Our weights as a PyTorch checkpoint that the authors' code loads."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo
from stavis_jax.weights.flat_names import expected_shapes, new_network, read_network
from stavis_jax.weights.loading import AUDIOVISUAL, VISUAL
from stavis_jax.weights.pytorch_file import PyTorchCheckpoint
from stavis_jax.weights.transfer import missing_arrays, to_pytorch


class Export(NamedTuple):
    """A checkpoint, and the names of our arrays that were not there and have starting values in it."""

    checkpoint: PyTorchCheckpoint
    filled: list[str]


def to_checkpoint(weights: Mapping[str, np.ndarray], info: WeightsInfo, source: str) -> Export:
    """Puts weights into the authors' names, layouts and order.

    Their file holds the sound part even for the picture alone: where it is missing it gets starting values, of seed 0.

    Raises:
      UserError: a system that the authors' code does not have, or arrays are missing; names `source`.
    """
    if info.kind == "stavis" and info.variant not in (VISUAL, AUDIOVISUAL):
        raise UserError(f"{source}: the authors' code has no {info.variant}, only {VISUAL} and {AUDIOVISUAL}.")
    needed = expected_shapes(info.network_config()) if info.kind == "stavis" else ()
    filled = missing_arrays(weights, info.kind, info.depth, info.shortcut)
    lost = [name for name in filled if info.variant != VISUAL or name in needed]
    if lost:
        raise UserError(f"{source}: damaged, lacks {', '.join(lost)}. Convert or train again.")
    if filled:
        config = NetworkConfig(AUDIOVISUAL, info.depth, info.shortcut)
        weights = read_network(new_network(config, seed=0)) | dict(weights)
    state = to_pytorch(weights, info.batches_tracked, info.kind, info.depth, info.shortcut)
    # SoundNet files are a bare state dict.
    architecture = f"resnet-{info.depth}" if info.depth else None
    return Export(PyTorchCheckpoint(state, architecture, info.epoch), filled)
