"""Which network a PyTorch checkpoint holds, told from its keys and values."""

import re
from collections.abc import Mapping

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.initialization import HEAD_STD, LOGIT_BIAS
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, BOTTLENECK_DEPTHS, ShortcutType
from stavis_jax.weights.directory import Kind

LAYERS = (1, 2, 3)


def kind_of(state: Mapping[str, np.ndarray], source: str) -> Kind:
    """Tells a STAViS network (either variant), a 3D ResNet classifier and SoundNet apart.

    Raises:
      UserError: none of them; the message names `source` and some of its keys.
    """
    if any(key.startswith("score_dsn.") for key in state):
        return "stavis"
    if any(key.startswith("layer1.") for key in state):
        return "kinetics"
    if any(key.startswith("soundnet8.") for key in state):
        return "soundnet"
    raise UserError(
        f"{source}: not a STAViS, 3D ResNet or SoundNet checkpoint, its keys are {_some(state)}. "
        "Give one of these, or add its names to weights/tables.py."
    )


def depth_of(state: Mapping[str, np.ndarray], source: str) -> int:
    """The depth of a 3D ResNet, from its numbers of blocks and convolutions in a block.

    Raises:
      UserError: no depth has them.
    """
    blocks = tuple(_number_of_blocks(state, layer) for layer in LAYERS)
    is_bottleneck = "layer1.0.conv3.weight" in state
    for depth, blocks_of_depth in BLOCKS_OF_DEPTH.items():
        if blocks_of_depth == blocks and (depth in BOTTLENECK_DEPTHS) == is_bottleneck:
            return depth
    counts = ", ".join(map(str, blocks))
    raise UserError(
        f"{source}: its layers 1 to 3 have {counts} {'bottlenecks' if is_bottleneck else 'basic blocks'}, as no known "
        f"3D ResNet. Known depths: {', '.join(map(str, BLOCKS_OF_DEPTH))}."
    )


def shortcut_of(state: Mapping[str, np.ndarray]) -> ShortcutType:
    """Type B shortcuts have parameters, type A's have none."""
    return "B" if any(re.match(r"layer[123]\..*\.downsample\.", key) for key in state) else "A"


def has_untrained_sound(state: Mapping[str, np.ndarray]) -> bool:
    """Whether a STAViS file's sound part has its starting values still, so that only the picture was trained.

    Both variants' files have the same keys. The visual training leaves `fuseav` and `fusion3` as they were drawn.
    """
    biases = [array for key, array in state.items() if re.match(r"fusion3\..*\.bias$", key)]
    weight, bias = state.get("fuseav.weight"), state.get("fuseav.bias")
    if weight is None or bias is None or not biases:
        return False  # damaged; the transfer says so
    return bool(
        np.all(bias == LOGIT_BIAS)
        and not any(np.any(array) for array in biases)
        and np.std(weight) < 2 * HEAD_STD  # 128 draws: 1.0 +- 0.06 times
    )


def _number_of_blocks(state: Mapping[str, np.ndarray], layer: int) -> int:
    numbers = [int(found[1]) for key in state if (found := re.match(rf"layer{layer}\.(\d+)\.", key))]
    return max(numbers, default=-1) + 1


def _some(state: Mapping[str, np.ndarray], limit: int = 3) -> str:
    keys = list(state)
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if len(keys) > limit else "")
