"""Max pooling with PyTorch's padding and rounding."""

import functools

import jax
import jax.numpy as jnp

from stavis_jax.ops.video import Video


def max_pool3d(video: Video) -> Video:
    """3x3x3 max pooling, stride 2, one step of padding: T, H, W -> ceil(T/2), ceil(H/2), ceil(W/2)."""
    if isinstance(video, tuple):
        # Maxima of shifted views, not windows: their gradient is far cheaper on a CPU. First time, where it is free.
        pooled = []
        for first in range(-1, len(video) - 1, 2):
            frames = video[max(first, 0) : first + 3]
            frame = frames[0]
            for other in frames[1:]:
                frame = jnp.maximum(frame, other)
            pooled.append(_max_of_three(_max_of_three(frame, axis=1), axis=2))
        return tuple(pooled)
    window, strides = (1, 3, 3, 3, 1), (1, 2, 2, 2, 1)
    padding = ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(video, -jnp.inf, jax.lax.max, window, strides, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_of_three(frame: jax.Array, axis: int) -> jax.Array:
    """Maximum over x[2i-1], x[2i], x[2i+1] along `axis`; its gradient goes to the first of equals."""
    before, at, after = _three(frame, axis)
    return jnp.maximum(jnp.maximum(before, at), after)


def _three(frame: jax.Array, axis: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    size = frame.shape[axis]
    outputs = (size + 1) // 2
    padding = [(0, 0)] * frame.ndim
    padding[axis] = (1, 2 * outputs - size)
    padded = jnp.pad(frame, padding, constant_values=-jnp.inf)
    return tuple(jax.lax.slice_in_dim(padded, k, k + 2 * outputs - 1, stride=2, axis=axis) for k in range(3))


def _max_of_three_forward(frame: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    return _max_of_three(frame, axis), frame


def _max_of_three_backward(axis: int, frame: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    """Even and odd places side by side: autodiff's three arrays with gaps, added up, take three times as long."""
    before, at, after = _three(frame, axis)
    nothing = jnp.zeros_like(gradient)
    is_before = (before >= at) & (before >= after)
    is_at = ~is_before & (at >= after)
    even = jnp.where(is_at, gradient, nothing)
    odd = jnp.where(is_before | is_at, nothing, gradient)
    next_ones = jax.lax.slice_in_dim(jnp.where(is_before, gradient, nothing), 1, None, axis=axis)
    padding = [(0, 0)] * frame.ndim
    padding[axis] = (0, 1)
    odd += jnp.pad(next_ones, padding)
    both = jnp.stack([even, odd], axis + 1)
    shape = [*gradient.shape]
    shape[axis] *= 2
    return (jax.lax.slice_in_dim(both.reshape(shape), 0, frame.shape[axis], axis=axis),)


_max_of_three.defvjp(_max_of_three_forward, _max_of_three_backward)


def max_pool1d(signal: jax.Array, size: int) -> jax.Array:
    """Signal [B, S, C] -> [B, S // size, C]: max over blocks of `size` steps, an incomplete last block dropped."""
    blocks = signal.shape[1] // size
    return max_over(signal[:, : blocks * size].reshape(signal.shape[0], blocks, size, -1), axis=2)


def max_over(x: jax.Array, axis: int) -> jax.Array:
    """Maximum along a short axis; its gradient goes to the first of equals, as PyTorch's does.

    Not jnp.max, whose gradient goes where x equals the maximum: should XLA compute x anew for it and round it
    otherwise, that is nowhere, and the gradient is NaN.
    """
    maximum, *others = (jnp.squeeze(part, axis) for part in jnp.split(x, x.shape[axis], axis))
    for other in others:
        maximum = jnp.where((maximum >= other) | jnp.isnan(maximum), maximum, other)
    return maximum
