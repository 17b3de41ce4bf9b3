"""Layers with parameters that the networks below share: convolutions, BatchNorm, linear maps."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from stavis_jax.models import initialization
from stavis_jax.ops.conv1d import conv1d
from stavis_jax.ops.conv3d import conv2d, conv3d
from stavis_jax.ops.video import Video, map_frames

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.1  # PyTorch's: the share of the new batch


class Conv3D(nnx.Module):
    """3D convolution without bias: video of C channels -> video of D channels."""

    def __init__(self, channels: int, features: int, size: int, strides=(1, 1, 1), *, rngs: nnx.Rngs):
        init = initialization.fan_out_normal(features * size**3)
        self.kernel = nnx.Param(init(rngs.params(), (size, size, size, channels, features)))
        self.strides = tuple(strides)

    def __call__(self, video: Video) -> Video:
        dtype = jax.tree.leaves(video)[0].dtype
        kernel = jax.tree.map(lambda k: k.astype(dtype), value_of(self.kernel))  # an array, or time taps
        return conv3d(video, kernel, self.strides)


class Conv2D(nnx.Module):
    """2D convolution with bias: [B, H, W, C] -> [B, H, W, D]."""

    def __init__(self, channels: int, features: int, size: int, *, bias: float = 0.0, rngs: nnx.Rngs):
        self.kernel = nnx.Param(initialization.head_normal(rngs.params(), (size, size, channels, features)))
        self.bias = nnx.Param(jnp.full((features,), bias, jnp.float32))

    def __call__(self, image: jax.Array) -> jax.Array:
        return conv2d(image, self.kernel[...]) + _broadcast(self.bias[...], image.ndim)


class Conv1D(nnx.Module):
    """1D convolution with bias: [B, S, C] -> [B, S', D]."""

    def __init__(self, channels: int, features: int, size: int, stride: int, padding: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(initialization.head_normal(rngs.params(), (size, channels, features)))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))
        self.stride, self.padding = stride, padding

    def __call__(self, signal: jax.Array, as_columns: bool = False) -> jax.Array:
        output = conv1d(signal, self.kernel[...], self.stride, self.padding, as_columns)
        return output + _broadcast(self.bias[...], signal.ndim)


class Dense(nnx.Module):
    """Linear map of the last axis, with bias: [..., C] -> [..., D]."""

    def __init__(self, channels: int, features: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(initialization.fan_out_normal(features)(rngs.params(), (channels, features)))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ self.kernel[...] + _broadcast(self.bias[...], x.ndim)


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last, of an array or of a video in any layout.

    Training uses the statistics of the batch (of the whole batch where it is split over devices) and moves the
    running ones as PyTorch does, with the unbiased variance; flax's own layer keeps the biased one. With `groups` > 1
    each of that many equal parts of the batch has its own, as replicas of PyTorch's DataParallel have; the running ones
    are the first part's. Statistics are float32 whatever comes in.
    """

    def __init__(self, features: int):
        self.scale = nnx.Param(jnp.ones((features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((features,), jnp.float32))
        self.groups = 1

    def __call__(self, video: Video, train: bool) -> Video:
        if train and self.groups > 1:
            return self._normalise_groups(video)
        mean, var = self._batch_statistics(video) if train else (self.mean[...], self.var[...])
        return map_frames(lambda x: self._normalise(x, mean, var), video)

    def _normalise(self, x: jax.Array, mean: jax.Array, var: jax.Array) -> jax.Array:
        factor = self.scale[...] * jax.lax.rsqrt(var + BATCH_NORM_EPSILON)
        offset = self.bias[...] - mean * factor
        return (x.astype(jnp.float32) * _broadcast(factor, x.ndim) + _broadcast(offset, x.ndim)).astype(x.dtype)

    def _normalise_groups(self, video: Video) -> Video:
        groups = map_frames(lambda x: x.reshape(self.groups, -1, *x.shape[1:]), video)
        mean, var, count = jax.vmap(_statistics)(groups)
        self._move(mean[0], var[0], count[0])
        outputs = jax.vmap(lambda x, m, v: map_frames(lambda y: self._normalise(y, m, v), x))(groups, mean, var)
        return map_frames(lambda x: x.reshape(-1, *x.shape[2:]), outputs)

    def _batch_statistics(self, video: Video) -> tuple[jax.Array, jax.Array]:
        mean, var, count = _statistics(video)
        self._move(mean, var, count)
        return mean, var

    def _move(self, mean: jax.Array, var: jax.Array, count: jax.Array) -> None:
        """Moves the running statistics towards a batch's."""
        kept = 1 - BATCH_NORM_MOMENTUM
        unbiased = var * (count / jnp.maximum(count - 1, 1))
        self.mean[...] = kept * self.mean[...] + BATCH_NORM_MOMENTUM * jax.lax.stop_gradient(mean)
        self.var[...] = kept * self.var[...] + BATCH_NORM_MOMENTUM * jax.lax.stop_gradient(unbiased)


def _statistics(video: Video) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean and biased variance [C] over all axes but the last, and the number of values they are of."""
    leaves = [leaf.astype(jnp.float32) for leaf in jax.tree.leaves(video)]
    count = jnp.float32(sum(leaf.size // leaf.shape[-1] for leaf in leaves))
    axes = tuple(range(leaves[0].ndim - 1))
    mean = sum(jnp.sum(leaf, axes) for leaf in leaves) / count
    # Two passes: E[x^2] - E[x]^2 is 2% off where the mean is large against the spread.
    squares = [jnp.sum(jnp.square(leaf - _broadcast(mean, leaf.ndim)), axes) for leaf in leaves]
    return mean, sum(squares) / count, count


def _broadcast(vector: jax.Array, rank: int) -> jax.Array:
    """[C] -> [1, ..., 1, C]."""
    return vector.reshape((1,) * (rank - 1) + vector.shape)


def value_of(variable: nnx.Variable) -> Any:
    """An array, or what stands in its place; flax 0.12 gave the way to it another name."""
    return variable.get_value() if hasattr(type(variable), "get_value") else variable.value
