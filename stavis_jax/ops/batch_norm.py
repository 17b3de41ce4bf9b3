"""Normalisation by the statistics of a batch, with a gradient that reads the video only twice.

A video may hold several clips side by side (ops/clip_pairs.py): its last axis is then a multiple of the C channels.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from stavis_jax.ops.clip_pairs import repeated, sum_of_clips
from stavis_jax.ops.recomputation import after
from stavis_jax.ops.video import Video, map_frames


class Statistics(NamedTuple):
    """Statistics of a batch, float32."""

    mean: jax.Array  # [C]
    var: jax.Array  # [C], biased
    num_values: jax.Array  # [], per channel


def statistics(video: Video, centre: jax.Array | None = None, channels: int | None = None) -> Statistics:
    """Returns the statistics of C `channels`, by default as many as the last axis has, over all other axes.

    With a `centre` [C], mean and variance come from sums of the differences from it, which accelerators compute in one
    pass and together with the convolution before. The closer the centre is to the mean, the less is rounded off.
    """
    leaves = [leaf.astype(jnp.float32) for leaf in jax.tree.leaves(video)]
    channels = channels or leaves[0].shape[-1]
    count = jnp.float32(sum(leaf.size // channels for leaf in leaves))
    if centre is not None:
        differences = [leaf - _like(centre, leaf) for leaf in leaves]
        offset = _sum(differences, channels) / count
        var = _sum([jnp.square(difference) for difference in differences], channels) / count - jnp.square(offset)
        return Statistics(centre + offset, jnp.maximum(var, 0), count)
    mean = _sum(leaves, channels) / count
    # Two passes: E[x^2] - E[x]^2 is 2% off where the mean is large compared with the spread.
    var = _sum([jnp.square(leaf - _like(mean, leaf)) for leaf in leaves], channels) / count
    return Statistics(mean, var, count)


def normalise(
    video: Video, mean: jax.Array, var: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> Video:
    """Returns (x - mean) / sqrt(var + epsilon) * scale + bias, computed in float32, in the video's dtype.

    Mean, variance, scale and bias are [C].
    """
    factor = scale * jax.lax.rsqrt(var + epsilon)
    offset = bias - mean * factor

    def normalise_leaf(x: jax.Array) -> jax.Array:
        return (x.astype(jnp.float32) * _like(factor, x) + _like(offset, x)).astype(x.dtype)

    return map_frames(normalise_leaf, video)


@jax.custom_vjp
def normalise_by_batch(
    video: Video, scale: jax.Array, bias: jax.Array, epsilon: float, centre: jax.Array | None = None
) -> tuple[Video, Statistics]:
    """Normalises by the batch's own statistics. Returns these too; they have no gradient.

    `centre`: see `statistics`.
    """
    return _forward(video, scale, bias, epsilon, centre)[0]


def _forward(
    video: Video, scale: jax.Array, bias: jax.Array, epsilon: float, centre: jax.Array | None
) -> tuple[tuple, tuple]:
    batch = statistics(video, centre, scale.size)
    normalised = normalise(video, batch.mean, batch.var, scale, bias, epsilon)
    return (normalised, batch), (video, batch, scale, epsilon, centre)


def _backward(residuals: tuple, gradients: tuple[Video, Statistics]) -> tuple:
    """Computes the gradients with two reads of the video x and its gradient g. Autodiff reads both three more times.

    With x' the normalised video: d bias = sum(g), d scale = sum(g x'), and
    d x = scale / sqrt(var + epsilon) (g - mean(g) - x' mean(g x')).
    """
    video, (mean, var, count), scale, epsilon, centre = residuals
    gradient, _ = gradients
    if isinstance(video, tuple) and centre is None:  # the form to train on a CPU
        mean = after(gradient[0], mean)  # otherwise XLA:CPU keeps the differences from the forward pass
    inverse = jax.lax.rsqrt(var + epsilon)
    pairs = list(zip(jax.tree.leaves(video), jax.tree.leaves(gradient), strict=True))
    d_bias = _sum([g.astype(jnp.float32) for _, g in pairs], scale.size)
    products = [g.astype(jnp.float32) * (x.astype(jnp.float32) - _like(mean, x)) for x, g in pairs]
    d_scale = inverse * _sum(products, scale.size)
    factor = scale * inverse
    slope = -factor * inverse * d_scale / count
    offset = -factor * d_bias / count - slope * mean

    def d_leaf(x: jax.Array, g: jax.Array) -> jax.Array:
        values = _like(factor, g) * g.astype(jnp.float32) + _like(slope, x) * x.astype(jnp.float32)
        return (values + _like(offset, x)).astype(x.dtype)

    return (
        map_frames(d_leaf, video, gradient),
        d_scale,
        d_bias,
        jnp.zeros_like(epsilon),
        jax.tree.map(jnp.zeros_like, centre),
    )


normalise_by_batch.defvjp(_forward, _backward)


def _sum(leaves: list[jax.Array], channels: int) -> jax.Array:
    """Sums over everything but channels: [C]."""
    first, *others = (jnp.sum(leaf, tuple(range(leaf.ndim - 1))) for leaf in leaves)
    return sum_of_clips(sum(others, first), channels)


def _like(vector: jax.Array, x: jax.Array) -> jax.Array:
    """Broadcasts a vector [C] to the shape of x [..., C], or to [..., k C] for k clips side by side."""
    return jnp.broadcast_to(repeated(vector, x.shape[-1]), x.shape)
