"""A video inside the network: one array, or a tuple of its frames.

XLA:CPU runs one small 2D convolution a frame several times faster than a 3D one, and stacking frames between layers
costs as much as the arithmetic. So on a CPU a video travels as a tuple of T arrays [B, H, W, C] ("frames"), elsewhere
as one array [B, T, H, W, C] ("array"). Both hold the same numbers; element-wise steps map over whatever there is.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

Video = jax.Array | tuple[jax.Array, ...]
Layout = Literal["array", "frames"]


def fastest_layout() -> Layout:
    """The layout for the default backend."""
    return "frames" if jax.default_backend() == "cpu" else "array"


def lay_out(clip: jax.Array, layout: Layout) -> Video:
    """Clip [B, T, H, W, C] -> the same video in `layout`."""
    if layout == "array":
        return clip
    return tuple(clip[:, t] for t in range(clip.shape[1]))


def num_frames(video: Video) -> int:
    return len(video) if isinstance(video, tuple) else video.shape[1]


def map_frames(function: Callable, *videos: Video) -> Video:
    """Applies an element-wise function, whatever the layout."""
    return jax.tree.map(function, *videos)


def scale_by_map(video: Video, factor: jax.Array) -> Video:
    """Multiplies every time step and channel by a float32 map [B, H, W]; the video keeps its type."""
    if isinstance(video, tuple):
        return tuple((frame.astype(factor.dtype) * factor[..., None]).astype(frame.dtype) for frame in video)
    return (video.astype(factor.dtype) * factor[:, None, :, :, None]).astype(video.dtype)


def time_mean(video: Video, start: int = 0, stop: int | None = None) -> jax.Array:
    """Mean of the time steps start..stop-1 (all by default): -> float32 [B, H, W, C]."""
    if isinstance(video, tuple):
        frames = [frame.astype(jnp.float32) for frame in video[start:stop]]
        return sum(frames[1:], frames[0]) / len(frames)
    return jnp.mean(video[:, start:stop], axis=1, dtype=jnp.float32)
