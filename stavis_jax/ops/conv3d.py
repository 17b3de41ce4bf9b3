"""3D convolution in two forms behind one function: the textbook one, and one for XLA:CPU."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from stavis_jax.ops.video import Video

FEW_CHANNELS = 4
TAPS_TOGETHER = 4  # one long sum over all seven rounds worse: gradients left the golden tolerances


def conv3d(video: Video, kernel: jax.Array, strides: Sequence[int] = (1, 1, 1)) -> Video:
    """Cross-correlates a video with a kernel, padded by half the kernel on every side.

    Args:
      video: [B, T, H, W, C], or a tuple of T frames [B, H, W, C]; the layout picks the form.
      kernel: [kT, kH, kW, C, D], odd sizes.
      strides: steps in time, height, width.

    Returns:
      The video in the layout it came in, D channels, each axis ceil(size / stride) long.
    """
    return _conv_frames(video, kernel, strides) if isinstance(video, tuple) else _conv_array(video, kernel, strides)


def _conv_array(video: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    padding = [(size // 2, size // 2) for size in kernel.shape[:3]]
    return lax.conv_general_dilated(
        video, kernel, tuple(strides), padding, dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )


def _conv_frames(frames: tuple[jax.Array, ...], kernel: jax.Array, strides: Sequence[int]) -> tuple[jax.Array, ...]:
    """A sum over time taps of 2D convolutions, one per frame: small enough to stay in cache, no padding in time.

    Pixels have too few channels to keep a 2D convolution busy: a few of their taps lie side by side as its channels.
    """
    time_stride, time_taps = strides[0], kernel.shape[0]
    outputs = []
    for first in range(-(time_taps // 2), len(frames) - time_taps // 2, time_stride):
        taps = [k for k in range(time_taps) if 0 <= first + k < len(frames)]
        together = TAPS_TOGETHER if kernel.shape[3] <= FEW_CHANNELS else 1
        terms = []
        for group in (taps[i : i + together] for i in range(0, len(taps), together)):
            neighbours = jnp.concatenate([frames[first + k] for k in group], axis=-1)
            terms.append(_conv_frame(neighbours, jnp.concatenate([kernel[k] for k in group], axis=-2), strides[1:]))
        outputs.append(sum(terms[1:], terms[0]))
    return tuple(outputs)


def _conv_frame(frame: jax.Array, kernel: jax.Array, strides: Sequence[int]) -> jax.Array:
    if kernel.shape[:2] == (1, 1):  # a dot is twice as fast as a 1x1 convolution there
        return frame[:, :: strides[0], :: strides[1]] @ kernel[0, 0]
    return conv2d(frame, kernel, strides)


def conv2d(image: jax.Array, kernel: jax.Array, strides: Sequence[int] = (1, 1)) -> jax.Array:
    """Image [B, H, W, C], kernel [kH, kW, C, D] of odd sizes, padded by half the kernel: -> [B, H', W', D]."""
    padding = [(size // 2, size // 2) for size in kernel.shape[:2]]
    return lax.conv_general_dilated(image, kernel, tuple(strides), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
