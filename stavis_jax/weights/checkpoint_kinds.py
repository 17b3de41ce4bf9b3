"""Identifies the network of a PyTorch state dict by its keys and values."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.initialization import HEAD_STD, LOGIT_BIAS
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, BOTTLENECK_DEPTHS, ShortcutType

Kind = Literal["stavis", "kinetics", "soundnet"]
KIND_OF_PREFIX: dict[str, Kind] = {"score_dsn.": "stavis", "layer1.": "kinetics", "soundnet8.": "soundnet"}


class Architecture(NamedTuple):
    """The network that a state dict belongs to. A "kinetics" one is a 3D ResNet classifier; SoundNet has no depth."""

    kind: Kind
    depth: int | None = None
    shortcut: ShortcutType | None = None


def architecture_of(state: Mapping[str, np.ndarray], source: str) -> Architecture:
    """Distinguishes STAViS networks, 3D ResNets and SoundNet, and finds a ResNet's depth and shortcut type.

    Raises:
      UserError: it is none of these, or its blocks match no known depth; the message starts with `source`.
    """
    kind = next((k for prefix, k in KIND_OF_PREFIX.items() if any(key.startswith(prefix) for key in state)), None)
    if kind is None:
        keys = ", ".join(list(state)[:3]) + (f" and {len(state) - 3} more" if len(state) > 3 else "")
        raise UserError(
            f"{source}: not a STAViS, 3D ResNet or SoundNet checkpoint, its keys are {keys}. "
            "Give one of these, or add its names to weights/key_tables.py."
        )
    if kind == "soundnet":
        return Architecture(kind)
    has_projections = any(re.match(r"layer[123]\..*\.downsample\.", key) for key in state)  # type A has no parameters
    return Architecture(kind, _depth_of(state, source), "B" if has_projections else "A")


def has_untrained_sound(state: Mapping[str, np.ndarray]) -> bool:
    """Returns whether a STAViS file's sound part still has its starting values, as in a visual network's file.

    The files of both variants have the same keys. The visual training leaves `fuseav` and `fusion3` as they were drawn.
    """
    biases = [array for key, array in state.items() if re.match(r"fusion3\..*\.bias$", key)]
    weight, bias = state.get("fuseav.weight"), state.get("fuseav.bias")
    if weight is None or bias is None or not biases:
        return False  # damaged, which the transfer reports
    return bool(
        np.all(bias == LOGIT_BIAS)
        and not any(np.any(array) for array in biases)
        and np.std(weight) < 2 * HEAD_STD  # the std of 128 draws is 1.0 +- 0.06 times HEAD_STD
    )


def _depth_of(state: Mapping[str, np.ndarray], source: str) -> int:
    blocks = tuple(_number_of_blocks(state, layer) for layer in (1, 2, 3))
    is_bottleneck = "layer1.0.conv3.weight" in state
    for depth, blocks_of_depth in BLOCKS_OF_DEPTH.items():
        if blocks_of_depth == blocks and (depth in BOTTLENECK_DEPTHS) == is_bottleneck:
            return depth
    counts = ", ".join(map(str, blocks))
    raise UserError(
        f"{source}: layers 1 to 3 have {counts} {'bottlenecks' if is_bottleneck else 'basic blocks'}, which fits no 3D "
        f"ResNet of depth {', '.join(map(str, BLOCKS_OF_DEPTH))}. Give a checkpoint of one of these depths."
    )


def _number_of_blocks(state: Mapping[str, np.ndarray], layer: int) -> int:
    numbers = [int(found[1]) for key in state if (found := re.match(rf"layer{layer}\.(\d+)\.", key))]
    return max(numbers, default=-1) + 1
