"""Max pooling with PyTorch's padding and rounding."""

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


def _max_of_three(frame: jax.Array, axis: int) -> jax.Array:
    """Maximum over x[2i-1], x[2i], x[2i+1] along `axis`."""
    size = frame.shape[axis]
    outputs = (size + 1) // 2
    padding = [(0, 0)] * frame.ndim
    padding[axis] = (1, 2 * outputs - size)
    padded = jnp.pad(frame, padding, constant_values=-jnp.inf)
    views = [jax.lax.slice_in_dim(padded, k, k + 2 * outputs - 1, stride=2, axis=axis) for k in range(3)]
    return jnp.maximum(jnp.maximum(views[0], views[1]), views[2])


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
