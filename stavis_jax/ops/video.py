"""A video inside the network: one array [B, T, H, W, C] ("array"), or a tuple of T frames [B, H, W, C] ("frames").

XLA:CPU runs one small 2D convolution per frame several times faster than a 3D convolution, and stacking the frames
between layers costs as much as the arithmetic. So the CPU's form of the network works on frames, the others on arrays.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from stavis_jax.ops.clip_pairs import map_of_pairs, unpaired

Video = jax.Array | tuple[jax.Array, ...]
Layout = Literal["array", "frames"]


def lay_out(clip: jax.Array, layout: Layout) -> Video:
    """Returns a clip [B, T, H, W, C] as a video in `layout`."""
    return clip if layout == "array" else tuple(clip[:, t] for t in range(clip.shape[1]))


def join_clips(clips: Sequence[tuple[jax.Array, ...]], layout: Layout) -> Video:
    """Joins B clips of frames [1, H, W, C] to one video of batch size B in `layout`."""
    if layout == "array":
        return jnp.concatenate([jnp.stack(frames, axis=1) for frames in clips])
    return tuple(jnp.concatenate(frames) for frames in zip(*clips, strict=True))


def cut_clips(film: jax.Array, clip_frames: int, stride: int) -> jax.Array:
    """Cuts overlapping clips from consecutive frames.

    Args:
      film: [N, H, W, C].
      clip_frames: number T of frames of a clip.
      stride: frames from one clip's first frame to the next one's.

    Returns:
      [B, T, H, W, C] with B = (N - T) // stride + 1.
    """
    num_clips = (len(film) - clip_frames) // stride + 1
    return jnp.stack([step_of_clips(film, t, num_clips, stride) for t in range(clip_frames)], axis=1)


def step_of_clips(film: jax.Array, step: int, num_clips: int, stride: int) -> jax.Array:
    """Returns one time step of each clip that `cut_clips` would cut: [B, H, W, C] of [N, H, W, C]."""
    return film[step : step + (num_clips - 1) * stride + 1 : stride]


def num_frames(video: Video) -> int:
    return len(video) if isinstance(video, tuple) else video.shape[1]


def map_frames(function: Callable, *videos: Video) -> Video:
    """Applies an element-wise function to videos of any layout."""
    return jax.tree.map(function, *videos)


def scale_by_map(video: Video, factor: jax.Array) -> Video:
    """Multiplies every time step and channel by a float32 map [B, H, W]. The video keeps its dtype.

    The clips of an array may be side by side (ops/clip_pairs.py).
    """
    if isinstance(video, tuple):
        return tuple((frame.astype(factor.dtype) * factor[..., None]).astype(frame.dtype) for frame in video)
    return _scale_array(video, factor)


@jax.custom_vjp
def _scale_array(video: jax.Array, factor: jax.Array) -> jax.Array:
    return (video.astype(factor.dtype) * map_of_pairs(factor, video)).astype(video.dtype)


def _scale_backward(residuals: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    video, factor = residuals
    return _scale_array(gradient, factor), sum_of_products(video, gradient, factor)


_scale_array.defvjp(lambda video, factor: (_scale_array(video, factor), (video, factor)), _scale_backward)


def sum_of_products(video: jax.Array, other: jax.Array, like: jax.Array) -> jax.Array:
    """Adds up the products of two arrays [B, T, H, W, C] over time and channels, as a map `like` [B, H, W].

    Adds frame by frame, which is faster on a TPU than reducing the time axis. The clips may be side by side.
    """
    products = (video[:, t].astype(like.dtype) * other[:, t].astype(like.dtype) for t in range(video.shape[1]))
    clips = like.shape[0] // video.shape[0]
    return jnp.sum(unpaired(functools.reduce(jnp.add, products), video.shape[-1] // clips), axis=-1)


def time_mean(video: Video, start: int = 0, stop: int | None = None) -> jax.Array:
    """Returns the mean of the time steps start..stop-1, by default of all: float32 [B, H, W, C]."""
    if isinstance(video, tuple):
        frames = [frame.astype(jnp.float32) for frame in video[start:stop]]
        return sum(frames[1:], frames[0]) / len(frames)
    return _mean_of_frames(video[:, start:stop])


@jax.custom_vjp
def _mean_of_frames(video: jax.Array) -> jax.Array:
    """Averages over time by adding frames, which is faster on a TPU than reducing the axis.

    Automatic differentiation would pad the gradient of every frame, so the gradient is written out.
    """
    frames = [video[:, t].astype(jnp.float32) for t in range(video.shape[1])]
    return sum(frames[1:], frames[0]) / len(frames)


def _mean_backward(frames: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    """`frames` has one element per frame, in the video's number format."""
    shape = (gradient.shape[0], frames.size, *gradient.shape[1:])
    return (jnp.broadcast_to((gradient / frames.size)[:, None], shape).astype(frames.dtype),)


_mean_of_frames.defvjp(lambda video: (_mean_of_frames(video), jnp.zeros(video.shape[1], video.dtype)), _mean_backward)
