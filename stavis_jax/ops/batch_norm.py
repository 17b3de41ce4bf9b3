"""Normalisation by the statistics of a batch, with a gradient that reads the video twice."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from stavis_jax.ops.video import Video, map_frames


class Statistics(NamedTuple):
    """Of a batch, float32."""

    mean: jax.Array  # [C]
    var: jax.Array  # [C], biased
    count: jax.Array  # [], how many values they are of


def statistics(video: Video) -> Statistics:
    """Over all axes but the last."""
    leaves = [leaf.astype(jnp.float32) for leaf in jax.tree.leaves(video)]
    count = jnp.float32(sum(leaf.size // leaf.shape[-1] for leaf in leaves))
    mean = _sum(leaves) / count
    # Two passes: E[x^2] - E[x]^2 is 2% off where the mean is large against the spread.
    return Statistics(mean, _sum([jnp.square(leaf - _like(mean, leaf)) for leaf in leaves]) / count, count)


def normalise(
    video: Video, mean: jax.Array, var: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> Video:
    """(x - mean) / sqrt(var + epsilon) * scale + bias, all [C]; computed in float32, in the type that comes in."""
    factor = scale * jax.lax.rsqrt(var + epsilon)
    offset = bias - mean * factor

    def of_values(x: jax.Array) -> jax.Array:
        return (x.astype(jnp.float32) * _like(factor, x) + _like(offset, x)).astype(x.dtype)

    return map_frames(of_values, video)


@jax.custom_vjp
def normalise_by_batch(video: Video, scale: jax.Array, bias: jax.Array, epsilon: float) -> tuple[Video, Statistics]:
    """`normalise` by the batch's own statistics, which come along and have no gradient."""
    return _forward(video, scale, bias, epsilon)[0]


def _forward(video: Video, scale: jax.Array, bias: jax.Array, epsilon: float) -> tuple[tuple, tuple]:
    of_batch = statistics(video)
    return (normalise(video, of_batch.mean, of_batch.var, scale, bias, epsilon), of_batch), (
        video,
        of_batch,
        scale,
        epsilon,
    )


def _backward(kept: tuple, gradients: tuple[Video, Statistics]) -> tuple:
    """Autodiff reads the video and its gradient three times more, once through the mean and twice through the variance.

    With x' the normalised video: d bias = sum(g), d scale = sum(g x'), and
    d x = scale / sqrt(var + epsilon) (g - mean(g) - x' mean(g x')).
    """
    video, (mean, var, count), scale, epsilon = kept
    gradient, _ = gradients
    inverse = jax.lax.rsqrt(var + epsilon)
    pairs = list(zip(jax.tree.leaves(video), jax.tree.leaves(gradient), strict=True))
    of_bias = _sum([g.astype(jnp.float32) for _, g in pairs])
    of_scale = inverse * _sum([g.astype(jnp.float32) * (x.astype(jnp.float32) - _like(mean, x)) for x, g in pairs])
    factor = scale * inverse
    slope = -factor * inverse * of_scale / count
    offset = -factor * of_bias / count - slope * mean

    def of_values(x: jax.Array, g: jax.Array) -> jax.Array:
        values = _like(factor, g) * g.astype(jnp.float32) + _like(slope, x) * x.astype(jnp.float32)
        return (values + _like(offset, x)).astype(x.dtype)

    return map_frames(of_values, video, gradient), of_scale, of_bias, jnp.zeros_like(epsilon)


normalise_by_batch.defvjp(_forward, _backward)


def _sum(leaves: list[jax.Array]) -> jax.Array:
    """Over everything but channels: -> [C]."""
    return sum(jnp.sum(leaf, tuple(range(leaf.ndim - 1))) for leaf in leaves)


def _like(vector: jax.Array, x: jax.Array) -> jax.Array:
    """[C] -> the shape of x [..., C]."""
    return jnp.broadcast_to(vector, x.shape)
