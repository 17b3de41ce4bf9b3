"""Layers with parameters that the parts of the network share: convolutions, BatchNorm, linear maps.

The `form` of a layer is the textbook form until the network that it is part of sets another one.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from stavis_jax.models import initialization
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.ops.batch_norm import Statistics, normalise, normalise_by_batch
from stavis_jax.ops.clip_pairs import block_diagonal, repeated
from stavis_jax.ops.conv1d import conv1d
from stavis_jax.ops.conv2d import conv2d, conv2d_rounded
from stavis_jax.ops.conv3d import conv3d
from stavis_jax.ops.folded_norm import folded
from stavis_jax.ops.recomputation import recomputed
from stavis_jax.ops.scaled_convolution import convolve_scaled
from stavis_jax.ops.video import Video, map_frames

BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.1  # PyTorch's: the share of the new batch


class Conv3D(nnx.Module):
    """3D convolution without bias: a video of C channels to one of D channels."""

    def __init__(self, channels: int, features: int, size: int, strides=(1, 1, 1), *, rngs: nnx.Rngs):
        init = initialization.fan_out_normal(features * size**3)
        self.kernel = nnx.Param(init(rngs.params(), (size, size, size, channels, features)))
        self.strides, self.form = tuple(strides), TEXTBOOK
        # whether folding a norm into the kernel saves more than it costs
        self.widens = size == 1 and self.strides == (1, 1, 1) and features >= 4 * channels

    def __call__(self, video: Video) -> Video:
        dtype = jax.tree.leaves(video)[0].dtype
        kernel = jax.tree.map(lambda k: k.astype(dtype), value_of(self.kernel))  # an array or its time taps
        return self.convolve(video, kernel)

    def of_scaled(self, video: Video, factor: jax.Array) -> Video:
        """Convolves an array times a map [B, H, W] that is nowhere zero, with a 1x1x1 kernel."""
        assert not isinstance(video, tuple)  # BackendForm refuses "scaled_convolution" on frames
        time, height, width = self.strides
        video, factor = video[:, ::time, ::height, ::width], factor[:, ::height, ::width]
        return convolve_scaled(_convolve_places, video, self.kernel[...].astype(video.dtype), factor)

    def convolve(self, video: Video, kernel: Any) -> Video:
        """Convolves with another kernel of the same shape. Clips side by side stay apart."""
        if not isinstance(video, tuple):
            kernel = block_diagonal(kernel, video.shape[-1] // kernel.shape[-2])
        return conv3d(video, kernel, self.strides, self.form.conv3d)


def _convolve_places(video: jax.Array, kernel: jax.Array) -> jax.Array:
    output = conv3d(video, block_diagonal(kernel, video.shape[-1] // kernel.shape[-2]))
    assert isinstance(output, jax.Array)
    return output


class Conv2D(nnx.Module):
    """2D convolution with bias: [B, H, W, C] -> [B, H, W, D]."""

    def __init__(self, channels: int, features: int, size: int, *, bias: float = 0.0, rngs: nnx.Rngs):
        self.kernel = nnx.Param(initialization.head_normal(rngs.params(), (size, size, channels, features)))
        self.bias = nnx.Param(jnp.full((features,), bias, jnp.float32))
        self.form = TEXTBOOK

    def __call__(self, image: jax.Array, dtype: DTypeLike = jnp.float32) -> jax.Array:
        """Convolves a float32 image. Both factors are rounded to `dtype` first."""
        if dtype == jnp.float32:
            output = conv2d(image, self.kernel[...], form=self.form.conv2d)
        else:
            output = conv2d_rounded(image, self.kernel[...], dtype)
        return output + _broadcast(self.bias[...], image.ndim)


class Conv1D(nnx.Module):
    """1D convolution with bias: [B, S, C] -> [B, S', D]."""

    def __init__(self, channels: int, features: int, size: int, stride: int, padding: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(initialization.head_normal(rngs.params(), (size, channels, features)))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))
        self.stride, self.padding, self.form = stride, padding, TEXTBOOK

    def __call__(self, signal: jax.Array) -> jax.Array:
        output = conv1d(signal, self.kernel[...], self.stride, self.padding, self.form.conv1d)
        return output + _broadcast(self.bias[...], signal.ndim)


class Dense(nnx.Module):
    """Linear map of the last axis, with bias: [..., C] -> [..., D]."""

    def __init__(self, channels: int, features: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(initialization.fan_out_normal(features)(rngs.params(), (channels, features)))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ self.kernel[...] + _broadcast(self.bias[...], x.ndim)


class BatchNorm(nnx.Module):
    """Batch normalisation over all axes but the last, of an array or a video in any layout.

    Training uses the statistics of the batch, of the whole batch if it is split over devices. It updates the running
    statistics as PyTorch does, with the unbiased variance, where flax's own layer keeps the biased one. With `groups` >
    1, each of that many equal parts of the batch has statistics of its own, as replicas of PyTorch's DataParallel have,
    and the running statistics are those of the first part. All statistics are float32.
    """

    def __init__(self, features: int):
        self.scale = nnx.Param(jnp.ones((features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((features,), jnp.float32))
        self.groups, self.form = 1, TEXTBOOK

    def __call__(self, video: Video, train: bool) -> Video:
        scale, bias = self.scale[...], self.bias[...]
        if not train:
            return normalise(video, self.mean[...], self.var[...], scale, bias, BATCH_NORM_EPSILON)
        centre = None if self.form.batch_norm == "two-pass" else jax.lax.stop_gradient(self.mean[...])
        if self.groups == 1:
            normalised, statistics = normalise_by_batch(video, scale, bias, BATCH_NORM_EPSILON, centre)
            self.update_running(statistics)
            return normalised
        groups = map_frames(lambda x: x.reshape(self.groups, -1, *x.shape[1:]), video)
        normalised, statistics = jax.vmap(lambda x: normalise_by_batch(x, scale, bias, BATCH_NORM_EPSILON, centre))(
            groups
        )
        self.update_running(Statistics(*(values[0] for values in statistics)))
        return map_frames(lambda x: x.reshape(-1, *x.shape[2:]), normalised)

    def update_running(self, batch: Statistics) -> None:
        """Moves the running statistics towards those of a batch."""
        kept = 1 - BATCH_NORM_MOMENTUM
        unbiased = batch.var * (batch.num_values / jnp.maximum(batch.num_values - 1, 1))
        self.mean[...] = kept * self.mean[...] + BATCH_NORM_MOMENTUM * jax.lax.stop_gradient(batch.mean)
        self.var[...] = kept * self.var[...] + BATCH_NORM_MOMENTUM * jax.lax.stop_gradient(unbiased)


def convolve_and_normalise(conv: Conv3D, norm: BatchNorm, video: Video, train: bool) -> Video:
    """Returns norm(conv(video)). If the form folds the norm into the kernel, the result is float32."""
    if not (train and norm.form.batch_norm == "folded" and norm.groups == 1 and conv.widens):
        return norm(conv(video), train)
    assert not isinstance(video, tuple)  # BackendForm refuses "folded" on frames
    kernel, bias, statistics = folded(video, conv.kernel[...], norm.scale[...], norm.bias[...], BATCH_NORM_EPSILON)
    norm.update_running(statistics)
    output = jnp.asarray(conv.convolve(video, kernel.astype(video.dtype)), jnp.float32)
    return output + _broadcast(repeated(bias, output.shape[-1]), output.ndim)


def recompute(
    run: Callable[..., Any], early: tuple[nnx.Module, ...], late: tuple[nnx.Module, ...], *inputs: Any
) -> Any:
    """Returns run(early, late, *inputs) and updates the running statistics.

    Training computes again what depends on the parameters of the layers `early` (ops/recomputation.py).
    """
    parts: Any = [nnx.split(layers, nnx.Param, nnx.BatchStat) for layers in (early, late)]
    first, second = parts

    def function(first_params: Any, second_params: Any, stats: Any, inputs: tuple[Any, ...]) -> tuple[Any, Any]:
        fresh = jax.tree.map(lambda x: x, stats)  # a new tree, since the statistics change
        layers = nnx.merge(first[0], first_params, fresh[0]), nnx.merge(second[0], second_params, fresh[1])
        return run(*layers, *inputs), [nnx.state(x, nnx.BatchStat) for x in layers]

    outputs, stats = recomputed(function, first[1], second[1], [first[2], second[2]], inputs)
    nnx.update(early, stats[0])
    nnx.update(late, stats[1])
    return outputs


def _broadcast(vector: jax.Array, rank: int) -> jax.Array:
    """Reshapes a vector [C] to [1, ..., 1, C]."""
    return vector.reshape((1,) * (rank - 1) + vector.shape)


def value_of(variable: nnx.Variable) -> Any:
    """Returns the variable's array or tuple of arrays. flax 0.12 renamed the accessor."""
    return variable.get_value() if hasattr(type(variable), "get_value") else variable.value
