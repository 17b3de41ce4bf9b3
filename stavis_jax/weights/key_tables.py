"""Names and axis orders of each network's tensors in PyTorch and here, in the order of the authors' state dicts.

A network's rows are: PyTorch module, our module, layer. A layer's rows are: PyTorch tensor, our array, axis order. To
support other key names, change the first column.
"""

import dataclasses
from collections.abc import Iterator

from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH


@dataclasses.dataclass(frozen=True)
class AxisOrder:
    """The PyTorch axis of each of our axes, and the PyTorch axes of length 1 that our arrays drop."""

    axes: tuple[int, ...]
    squeezed: tuple[int, ...] = ()


VECTOR = AxisOrder((0,))
UNCHANGED = AxisOrder((0, 1, 2))
COUNTER = "num_batches_tracked"  # of BatchNorm; files hold it, the network does not

CONV3D = (("weight", "kernel", AxisOrder((2, 3, 4, 1, 0))),)
CONV2D = (("weight", "kernel", AxisOrder((2, 3, 1, 0))), ("bias", "bias", VECTOR))
CONV1D = (("weight", "kernel", AxisOrder((3, 1, 0), squeezed=(2,))), ("bias", "bias", VECTOR))  # theirs: [O, I, 1, k]
DENSE = (("weight", "kernel", AxisOrder((1, 0))), ("bias", "bias", VECTOR))
BILINEAR = (("weight", "kernel", UNCHANGED), ("bias", "bias", VECTOR))  # inputs: picture, then sound
UPSAMPLING = (("weight", "", AxisOrder((2, 3, 0, 1))),)  # theirs: [I, O, kH, kW]
BATCH_NORM = (
    ("weight", "scale", VECTOR),
    ("bias", "bias", VECTOR),
    ("running_mean", "mean", VECTOR),
    ("running_var", "var", VECTOR),
    (COUNTER, "", None),
)

STEM = (
    ("conv1", "trunk/conv1", CONV3D),
    ("bn1", "trunk/bn1", BATCH_NORM),
)
BLOCK = (
    ("layer{layer}.{block}.conv1", "trunk/layer{layer}/block{block}/conv1", CONV3D),
    ("layer{layer}.{block}.bn1", "trunk/layer{layer}/block{block}/bn1", BATCH_NORM),
    ("layer{layer}.{block}.conv2", "trunk/layer{layer}/block{block}/conv2", CONV3D),
    ("layer{layer}.{block}.bn2", "trunk/layer{layer}/block{block}/bn2", BATCH_NORM),
    ("layer{layer}.{block}.conv3", "trunk/layer{layer}/block{block}/conv3", CONV3D),  # bottlenecks only
    ("layer{layer}.{block}.bn3", "trunk/layer{layer}/block{block}/bn3", BATCH_NORM),
    ("layer{layer}.{block}.downsample.0", "trunk/layer{layer}/block{block}/shortcut/conv", CONV3D),  # type B only
    ("layer{layer}.{block}.downsample.1", "trunk/layer{layer}/block{block}/shortcut/bn", BATCH_NORM),
)
ATTENTION = (  # their stages count from 0, ours from 1
    ("score_dsn.{index}.side_prep", "attention{stage}/side_prep", CONV2D),
    ("score_dsn.{index}.score_dsn", "attention{stage}/score", CONV2D),
    ("score_dsn.{index}.upscale_", "attention{stage}/upsample_activation", UPSAMPLING),
    ("score_dsn.{index}.upscale", "attention{stage}/upsample_features", UPSAMPLING),
)
FUSION = (
    ("fuse", "fuse/conv", CONV2D),
    ("fuseav", "fuseav/conv", CONV2D),
)
SOUNDNET = (
    ("soundnet8.0", "soundnet/conv1", CONV1D),
    ("soundnet8.1", "soundnet/bn1", BATCH_NORM),
    ("soundnet8.4", "soundnet/conv2", CONV1D),
    ("soundnet8.5", "soundnet/bn2", BATCH_NORM),
    ("soundnet8.8", "soundnet/conv3", CONV1D),
    ("soundnet8.9", "soundnet/bn3", BATCH_NORM),
    ("soundnet8.11", "soundnet/conv4", CONV1D),
    ("soundnet8.12", "soundnet/bn4", BATCH_NORM),
    ("soundnet8.14", "soundnet/conv5", CONV1D),
    ("soundnet8.15", "soundnet/bn5", BATCH_NORM),
    ("soundnet8.18", "soundnet/conv6", CONV1D),
    ("soundnet8.19", "soundnet/bn6", BATCH_NORM),
    ("soundnet8.21", "soundnet/conv7", CONV1D),
    ("soundnet8.22", "soundnet/bn7", BATCH_NORM),
)
LOCALIZATION = (
    ("fusion3.affine_rgb", "hidden/visual", DENSE),
    ("fusion3.affine_audio", "hidden/sound", DENSE),
    ("fusion3.w_a_rgb", "localization", BILINEAR),
)

UNUSED = {  # parts of a classifier after the layer where ours ends
    "stavis": (),
    "kinetics": ("layer4.", "fc."),
    "soundnet": ("conv8.", "conv8_2."),
}


@dataclasses.dataclass(frozen=True)
class TensorRow:
    """One tensor: PyTorch key, our name, axis order. A BatchNorm's counter has its module's name and no order."""

    key: str
    name: str
    order: AxisOrder | None


def rows(kind: str, depth: int | None) -> Iterator[TensorRow]:
    """Yields all tensors that a checkpoint of this kind may hold, in the order of the authors' state dicts.

    Some of them do not exist in every network: a bottleneck's third convolution, a shortcut in every block.
    """
    if kind == "soundnet":
        yield from _tensors(SOUNDNET)
        return
    assert depth is not None, f"{kind} has a depth"
    yield from _tensors(STEM)
    for layer, blocks in enumerate(BLOCKS_OF_DEPTH[depth], start=1):
        for block in range(blocks):
            yield from _tensors(BLOCK, layer=layer, block=block)
    if kind == "stavis":
        for stage in range(1, 5):
            yield from _tensors(ATTENTION, stage=stage, index=stage - 1)
        yield from _tensors(FUSION + SOUNDNET + LOCALIZATION)


def _tensors(modules: tuple, **numbers: int) -> Iterator[TensorRow]:
    for their_module, our_module, layers in modules:
        for key, name, order in layers:
            our_name = f"{our_module}/{name}" if name else our_module
            yield TensorRow(f"{their_module}.{key}".format(**numbers), our_name.format(**numbers), order)
