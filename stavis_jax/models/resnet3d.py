"""The visual trunk: a 3D ResNet without its last stage (supplement, Table 1).

For ResNet-50 and a clip of 16 x 112 x 112:

  stage    layers                                       output
  stem     7x7x7, 64, stride (1, 2, 2); BN; ReLU        16 x 56 x 56 x 64
  pool     3x3x3 max, stride 2                           8 x 28 x 28 x 64
  layer1   3 bottlenecks, width 64                       8 x 28 x 28 x 256
  layer2   4 bottlenecks, width 128, stride 2            4 x 14 x 14 x 512
  layer3   6 bottlenecks, width 256, stride 2            2 x  7 x  7 x 1024

The supplement prints the stem's stride as 7x7x1; the released weights are for (1, 2, 2) in T, H, W.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from stavis_jax.models.layers import BatchNorm, Conv3D, convolve_and_normalise, recompute
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.clip_pairs import LANES, unpaired
from stavis_jax.ops.pixel_pairs import conv_pixel_pairs, pixel_pairs
from stavis_jax.ops.recomputation import recomputed, written_once
from stavis_jax.ops.rectified_sum import add_and_rectify
from stavis_jax.ops.time_chunks import TimeChunks
from stavis_jax.ops.video import Video, map_frames, scale_by_map

ShortcutType = Literal["A", "B"]

BLOCKS_OF_DEPTH = {
    10: (1, 1, 1),
    18: (2, 2, 2),
    34: (3, 4, 6),
    50: (3, 4, 6),
    101: (3, 4, 23),
    152: (3, 8, 36),
    200: (3, 24, 36),
}
BOTTLENECK_DEPTHS = (50, 101, 152, 200)
STEM_CHANNELS = 64
WIDTHS = (64, 128, 256)


def expansion(depth: int) -> int:
    """Returns the ratio of a block's output channels to its width."""
    return 4 if depth in BOTTLENECK_DEPTHS else 1


def stage_channels(depth: int) -> tuple[int, int, int, int]:
    """Returns the channels after the stem and the three layers."""
    first, second, third = (width * expansion(depth) for width in WIDTHS)
    return STEM_CHANNELS, first, second, third


class ProjectionShortcut(nnx.Module):
    """Shortcut of type B: a strided 1x1x1 convolution and BatchNorm."""

    def __init__(self, channels: int, features: int, stride: int, *, rngs: nnx.Rngs):
        self.conv = Conv3D(channels, features, 1, (stride,) * 3, rngs=rngs)
        self.bn = BatchNorm(features)

    def __call__(self, x: Video, train: bool, factor: jax.Array | None = None) -> Video:
        if factor is None:
            return convolve_and_normalise(self.conv, self.bn, x, train)
        return self.bn(self.conv.of_scaled(x, factor), train)


class PaddingShortcut(nnx.Module):
    """Shortcut of type A: takes every stride-th step and pixel and adds zero channels. It has no parameters."""

    def __init__(self, channels: int, features: int, stride: int):
        self.channels, self.extra_channels, self.stride = channels, features - channels, stride

    def __call__(self, x: Video, train: bool, factor: jax.Array | None = None) -> Video:
        x = x if factor is None else scale_by_map(x, factor)
        x = x[:: self.stride] if isinstance(x, tuple) else x[:, :: self.stride]

        def subsample(frames: jax.Array) -> jax.Array:
            frames = frames[..., :: self.stride, :: self.stride, :]
            clips = frames.reshape(*frames.shape[:-1], -1, self.channels)  # side by side, usually one
            padded = jnp.pad(clips, [(0, 0)] * (clips.ndim - 1) + [(0, self.extra_channels)])
            return padded.reshape(*frames.shape[:-1], -1)

        return map_frames(subsample, x)


def _shortcut(kind: ShortcutType, channels: int, features: int, stride: int, rngs: nnx.Rngs) -> nnx.Module | None:
    if stride == 1 and channels == features:
        return None
    if kind == "A":
        return PaddingShortcut(channels, features, stride)
    return ProjectionShortcut(channels, features, stride, rngs=rngs)


class BasicBlock(nnx.Module):
    """Two 3x3x3 convolutions (depths 10, 18, 34): [..., channels] -> [..., width]."""

    def __init__(self, channels: int, width: int, stride: int, shortcut: ShortcutType, *, rngs: nnx.Rngs):
        self.conv1 = Conv3D(channels, width, 3, (stride,) * 3, rngs=rngs)
        self.bn1 = BatchNorm(width)
        self.conv2 = Conv3D(width, width, 3, rngs=rngs)
        self.bn2 = BatchNorm(width)
        self.shortcut = _shortcut(shortcut, channels, width, stride, rngs)

    def __call__(self, x: Video, train: bool) -> Video:
        if train and self.conv1.form.recomputed:
            return self._recomputed(x)
        y = map_frames(nnx.relu, self.bn1(self.conv1(x), train))
        y = self.bn2(self.conv2(y), train)
        shortcut = x if self.shortcut is None else self.shortcut(x, train)
        return _add_and_rectify(y, shortcut, self.bn1.form, jax.tree.leaves(x)[0].dtype)

    def _recomputed(self, x: Video) -> Video:
        """Trains with little memory: keeps the input and the outputs of the convolutions."""

        def end(early: tuple, late: tuple, x: Video, y: Video) -> Video:
            norm, *shortcut = early
            return _rectified_sum(norm(y, True), shortcut[0](x, True) if shortcut else x)

        y = recompute(_convolve_after_norm, (self.bn1,), (self.conv2,), recompute(_convolve, (), (self.conv1,), x))
        shortcut = () if self.shortcut is None else (self.shortcut,)
        return written_once(recompute(end, (self.bn2, *shortcut), (), x, y), self.bn2.scale[0])


class Bottleneck(nnx.Module):
    """1x1x1, 3x3x3 and 1x1x1 convolutions: [..., channels] -> [..., 4 width].

    With a `factor`, a map [B, H, W] that is nowhere zero, it computes on the video times the map.
    """

    def __init__(self, channels: int, width: int, stride: int, shortcut: ShortcutType, *, rngs: nnx.Rngs):
        self.conv1 = Conv3D(channels, width, 1, rngs=rngs)
        self.bn1 = BatchNorm(width)
        self.conv2 = Conv3D(width, width, 3, (stride,) * 3, rngs=rngs)
        self.bn2 = BatchNorm(width)
        self.conv3 = Conv3D(width, 4 * width, 1, rngs=rngs)
        self.bn3 = BatchNorm(4 * width)
        self.shortcut = _shortcut(shortcut, channels, 4 * width, stride, rngs)

    def __call__(self, x: Video, train: bool, factor: jax.Array | None = None) -> Video:
        if train and self.conv1.form.recomputed:
            return self._recomputed(x if factor is None else scale_by_map(x, factor))
        y = self.conv1(x) if factor is None else self.conv1.of_scaled(x, factor)
        y = map_frames(nnx.relu, self.bn1(y, train))
        y = map_frames(nnx.relu, self.bn2(self.conv2(y), train))
        y = convolve_and_normalise(self.conv3, self.bn3, y, train)
        if self.shortcut is not None:
            shortcut = self.shortcut(x, train, factor)
        else:
            shortcut = x if factor is None else scale_by_map(x, factor)
        return _add_and_rectify(y, shortcut, self.bn1.form, jax.tree.leaves(x)[0].dtype)

    def _recomputed(self, x: Video) -> Video:
        """Trains with little memory: keeps the input and the outputs of the first two convolutions."""

        def end(early: tuple, late: tuple, x: Video, y: Video) -> Video:
            norm, *shortcut = early
            conv3, bn3 = late
            y = convolve_and_normalise(conv3, bn3, map_frames(nnx.relu, norm(y, True)), True)
            return _rectified_sum(y, shortcut[0](x, True) if shortcut else x)

        y = recompute(_convolve_after_norm, (self.bn1,), (self.conv2,), recompute(_convolve, (), (self.conv1,), x))
        shortcut = () if self.shortcut is None else (self.shortcut,)
        output = recompute(end, (self.bn2, *shortcut), (self.conv3, self.bn3), x, y)
        return written_once(output, self.bn3.scale[0])


def _convolve(early: tuple, late: tuple, x: Video) -> Video:
    return late[0](x)


def _convolve_after_norm(early: tuple, late: tuple, x: Video) -> Video:
    return late[0](map_frames(nnx.relu, early[0](x, True)))


def _rectified_sum(x: Video, y: Video) -> Video:
    return map_frames(lambda a, b: nnx.relu(a + b), x, y)


def _add_and_rectify(x: Video, y: Video, form: BackendForm, dtype: jnp.dtype) -> Video:
    if form.batch_norm == "folded":
        return add_and_rectify(x, y, dtype)
    return _rectified_sum(x, y)


class Layer(nnx.Module):
    """A stage of residual blocks `block0`, `block1`, ...; the first one may have a stride.

    Clips side by side (ops/clip_pairs.py) stay so if the width is less than a TPU's lanes.

    With `rematerialize`, training computes the blocks again in the backward pass, which saves memory.
    """

    def __init__(
        self, depth: int, channels: int, width: int, blocks: int, stride: int, shortcut: ShortcutType, *, rngs: nnx.Rngs
    ):
        block = Bottleneck if depth in BOTTLENECK_DEPTHS else BasicBlock
        for i in range(blocks):
            setattr(self, f"block{i}", block(channels, width, stride if i == 0 else 1, shortcut, rngs=rngs))
            channels = width * expansion(depth)
        self.num_blocks, self.width, self.channels = blocks, width, channels
        self.rematerialize = False

    def __call__(self, x: Video, train: bool, factor: jax.Array | None = None) -> Video:
        """Runs the blocks, on the video times a map [B, H, W] if `factor` is given."""
        run = nnx.remat(_run_block, static_argnums=2) if self.rematerialize and train else _run_block
        for i in range(self.num_blocks):
            x = run(getattr(self, f"block{i}"), x, train, factor if i == 0 else None)
            if self.width >= LANES and not isinstance(x, tuple):
                x = unpaired(x, self.channels)  # one clip fills the lanes
        return x


def _run_block(block: nnx.Module, x: Video, train: bool, factor: jax.Array | None) -> Video:
    if factor is None:
        return block(x, train)
    if isinstance(block, Bottleneck) and block.conv1.form.scaled_convolution:
        return block(x, train, factor)
    return block(scale_by_map(x, factor), train)


class ResNet3D(nnx.Module):
    """The stages of the trunk. The network calls them one by one, with an attention module after each.

    `dtype` is that of the activations and products. Parameters and statistics are float32.
    """

    def __init__(self, depth: int = 50, shortcut: ShortcutType = "B", *, rngs: nnx.Rngs):
        channels, blocks = stage_channels(depth), BLOCKS_OF_DEPTH[depth]
        self.conv1 = Conv3D(3, STEM_CHANNELS, 7, (1, 2, 2), rngs=rngs)
        self.bn1 = BatchNorm(STEM_CHANNELS)
        self.layer1 = Layer(depth, channels[0], WIDTHS[0], blocks[0], 1, shortcut, rngs=rngs)
        self.layer2 = Layer(depth, channels[1], WIDTHS[1], blocks[1], 2, shortcut, rngs=rngs)
        self.layer3 = Layer(depth, channels[2], WIDTHS[2], blocks[2], 2, shortcut, rngs=rngs)
        self.dtype = jnp.dtype(jnp.float32)

    def stem(self, clip: Video, train: bool) -> Video:
        """Returns the stem's output [B, T, ceil(H/2), ceil(W/2), 64]."""
        clip = map_frames(lambda x: x.astype(self.dtype), clip)
        return map_frames(nnx.relu, self.bn1(self._conv1(clip, train), train))

    def _conv1(self, clip: Video, train: bool) -> Video:
        if not (train and self.conv1.form.recomputed):
            return self.conv1(clip)
        # The backward pass stacks the frames of neighbouring time steps again, which needs the clip to come late.
        graphdef, params = nnx.split(self.conv1)
        return recomputed(lambda early, *_: nnx.merge(graphdef, early[0])(early[1]), (params, clip), (), (), ())

    def stem_of_chunks(self, clip: jax.Array, chunks: TimeChunks, train: bool) -> tuple[jax.Array, ...]:
        """Computes the stem on chunks of time.

        Returns:
          One array [B number, ceil(H/2), ceil(W/2), 64] for each of the T / number frames of a chunk.
        """
        kernel = self.conv1.kernel[...].astype(self.dtype)
        pairs = pixel_pairs(clip.astype(self.dtype), kernel.shape[2])
        frames = conv_pixel_pairs(chunks.cut(pairs, kernel.shape[0] // 2), kernel)
        return tuple(map(nnx.relu, self.bn1(frames, train)))
