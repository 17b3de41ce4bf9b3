"""Max pooling with PyTorch's padding, rounding and gradients."""

import functools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from stavis_jax.ops.time_chunks import TimeChunks
from stavis_jax.ops.video import Video


def max_pool3d(video: Video, form: Literal["windows", "comparisons"] = "windows") -> Video:
    """Pools 3x3x3 windows with stride 2 and padding 1: T, H, W -> ceil(T/2), ceil(H/2), ceil(W/2).

    Args:
      video: an array [B, T, H, W, C], or frames [B, H, W, C] for the form "comparisons".
      form: "comparisons" takes maxima of shifted frames, whose gradient is far cheaper on a CPU, and needs no scatter
        on a GPU.
    """
    if form == "comparisons":
        if isinstance(video, tuple):
            return _pool_frames(video)
        # ties as in PyTorch: the first frame, row, column
        return functools.reduce(lambda x, axis: _max_of_three(x, axis, True), (3, 2, 1), video)
    window, strides = (1, 3, 3, 3, 1), (1, 2, 2, 2, 1)
    padding = ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(video, -jnp.inf, jax.lax.max, window, strides, padding)


def _pool_frames(frames: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """Takes maxima over time first, where the shifted views are free."""
    pooled = []
    for first in range(-1, len(frames) - 1, 2):
        frame = functools.reduce(jnp.maximum, frames[max(first, 0) : first + 3])
        pooled.append(_max_of_three(_max_of_three(frame, 1, False), 2, False))
    return tuple(pooled)


def pool_chunks(
    frames: Sequence[jax.Array], factor: jax.Array, chunks: TimeChunks, *, in_pairs: bool = False
) -> jax.Array:
    """Pools videos times maps as `max_pool3d` does.

    Time comes first, where the maps make no difference, then the maps, then height and width. Only then the last frame
    of a chunk is compared with the first ones of the next chunk. Where values of several frames are equal, the gradient
    may go to another one than in PyTorch.

    Args:
      frames: an even number of frames [B number, H, W, C] of chunks, not negative.
      factor: maps [B number, H, W], float32, positive.
      chunks: the order of the chunks.
      in_pairs: whether the result has its clips side by side (ops/clip_pairs.py), if their number allows it.

    Returns:
      Clips [B, ceil(T/2), ceil(H/2), ceil(W/2), C], or [B/2, ..., 2C] in pairs.
    """
    last = frames[-1]
    windows = [frames[:2], *(frames[t - 1 : t + 2] for t in range(2, len(frames), 2)), [last]]
    scaled = [_max_of_frames(*window).astype(factor.dtype) * factor[..., None] for window in windows]
    first, *others, last = (
        jax.lax.reduce_window(
            x.astype(last.dtype), -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
        )
        for x in scaled
    )
    pooled = [_max_of_frames(chunks.of_chunk_before(last), first), *others]
    return chunks.joined_in_pairs(pooled) if in_pairs else chunks.joined(pooled)


@jax.custom_vjp
def _max_of_frames(*frames: jax.Array) -> jax.Array:
    """Maximum of up to three frames. The gradient goes to the first of equal values."""
    return functools.reduce(jnp.maximum, frames)


def _max_of_frames_backward(frames: tuple[jax.Array, ...], gradient: jax.Array) -> tuple[jax.Array, ...]:
    zeros = jnp.zeros_like(gradient)
    if len(frames) == 1:
        return (gradient,)
    if len(frames) == 2:
        is_first = frames[0] >= frames[1]
        return jnp.where(is_first, gradient, zeros), jnp.where(is_first, zeros, gradient)
    return tuple(jnp.where(mask, gradient, zeros) for mask in _is_first_maximum(*frames))


def _is_first_maximum(before: jax.Array, at: jax.Array, after: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns for each of three arrays where it is the first one that holds the maximum."""
    is_before = (before >= at) & (before >= after)
    is_at = ~is_before & (at >= after)
    return is_before, is_at, ~(is_before | is_at)


_max_of_frames.defvjp(lambda *frames: (_max_of_frames(*frames), frames), _max_of_frames_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _max_of_three(frame: jax.Array, axis: int, keep_places: bool) -> jax.Array:
    """Maximum of x[2i-1], x[2i], x[2i+1] along `axis`. The gradient goes to the first of equal values.

    With `keep_places`, training keeps the place of each maximum, one byte, instead of the three values.
    """
    before, at, after = _three(frame, axis)
    return jnp.maximum(jnp.maximum(before, at), after)


def _three(frame: jax.Array, axis: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    size = frame.shape[axis]
    outputs = (size + 1) // 2
    padding = [(0, 0)] * frame.ndim
    padding[axis] = (1, 2 * outputs - size)
    padded = jnp.pad(frame, padding, constant_values=-jnp.inf)
    last = 2 * outputs - 1
    before, at, after = (jax.lax.slice_in_dim(padded, k, k + last, stride=2, axis=axis) for k in range(3))
    return before, at, after


def _max_of_three_forward(
    frame: jax.Array, axis: int, keep_places: bool
) -> tuple[jax.Array, tuple[jax.Array, jax.Array | None]]:
    if not keep_places:
        return _max_of_three(frame, axis, keep_places), (frame, None)
    is_before, is_at, _ = _is_first_maximum(*_three(frame, axis))
    places = jnp.where(is_before, jnp.uint8(0), jnp.where(is_at, jnp.uint8(1), jnp.uint8(2)))
    places = jax.lax.optimization_barrier(places)  # otherwise XLA keeps the values and compares them again
    return _max_of_three(frame, axis, keep_places), (jnp.zeros(frame.shape[axis], jnp.bool_), places)


def _max_of_three_backward(
    axis: int, keep_places: bool, kept: tuple[jax.Array, jax.Array | None], gradient: jax.Array
) -> tuple[jax.Array]:
    """Interleaves the gradients of even and odd places. Autodiff adds three arrays with gaps and is a third as fast."""
    frame, places = kept  # with places, the frame only has the size along the axis
    size = frame.shape[axis] if places is None else frame.size
    is_before, is_at, is_after = (
        _is_first_maximum(*_three(frame, axis)) if places is None else (places == k for k in range(3))
    )
    zeros = jnp.zeros_like(gradient)
    even = jnp.where(is_at, gradient, zeros)
    odd = jnp.where(is_after, gradient, zeros)
    next_ones = jax.lax.slice_in_dim(jnp.where(is_before, gradient, zeros), 1, None, axis=axis)
    padding = [(0, 0)] * gradient.ndim
    padding[axis] = (0, 1)
    odd += jnp.pad(next_ones, padding)
    both = jnp.stack([even, odd], axis + 1)
    shape = [*gradient.shape]
    shape[axis] *= 2
    return (jax.lax.slice_in_dim(both.reshape(shape), 0, size, axis=axis),)


_max_of_three.defvjp(_max_of_three_forward, _max_of_three_backward)


def max_pool1d(signal: jax.Array, size: int) -> jax.Array:
    """Pools a signal [B, S, C] over blocks of `size` steps: [B, S // size, C]. Drops an incomplete last block."""
    blocks = signal.shape[1] // size
    return max_over(signal[:, : blocks * size].reshape(signal.shape[0], blocks, size, -1), axis=2)


def max_over(x: jax.Array, axis: int) -> jax.Array:
    """Returns the maximum along a short axis. Its gradient goes to the first of equal values, as in PyTorch.

    jnp.max passes its gradient to where x equals the maximum. If XLA computes x a second time and rounds it otherwise,
    no place equals the maximum and the gradient is NaN.
    """
    maximum, *others = (jnp.squeeze(part, axis) for part in jnp.split(x, x.shape[axis], axis))
    for other in others:
        maximum = jnp.where((maximum >= other) | jnp.isnan(maximum), maximum, other)
    return maximum
