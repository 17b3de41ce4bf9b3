"""Neighbouring pixels in pairs, for a convolution of videos with stride 2 on a TPU.

A TPU stores 8 channels at a time. Two pixels of a row fill 6 of them, and a kernel that takes pairs of pixels has
stride 1 in width.
"""

import jax
import jax.numpy as jnp
import numpy as np

SLOTS = 8


def pixel_pairs(clip: jax.Array, taps: int) -> jax.Array:
    """Lays out the pixels of a row as pairs, for a kernel of `taps` pixels in width.

    A product with a matrix of 0 and 1 does this, which a TPU does faster than it moves single channels.

    Args:
      clip: [..., W, C], 2 C <= 8.
      taps: odd. A pair starts where the kernel does.

    Returns:
      [..., P 8] of P = ceil(W / 2) + 1 pairs: the first pixel's channels, the second one's, and zeros.
    """
    width, channels = clip.shape[-2:]
    column, channel, place = np.ogrid[:width, :channels, : (-(-width // 2) + 1) * SLOTS]
    column = column + taps // 2 % 2
    select = column // 2 * SLOTS + column % 2 * channels + channel == place
    return jnp.einsum("...wc,wcp->...p", clip, jnp.asarray(select, clip.dtype), precision="highest")


def conv_pixel_pairs(video: jax.Array, kernel: jax.Array) -> tuple[jax.Array, ...]:
    """Convolves the frames that have all their neighbours, with stride 2 in height and width.

    Each frame is a convolution of its own, so that XLA need not cut one array apart.

    Args:
      video: [B, T, H, P 8], as `pixel_pairs` lays it out.
      kernel: [kT, kH, kW, C, D], odd sizes.

    Returns:
      T - kT + 1 frames [B, ceil(H / 2), P - 1, D].
    """
    time, height, width, channels, features = kernel.shape
    pairs = video.reshape(*video.shape[:3], -1, SLOTS)
    kernel = jnp.pad(kernel, [(0, 0), (0, 0), (0, 1), (0, 0), (0, 0)])
    kernel = kernel.reshape(time, height, (width + 1) // 2, 2 * channels, features)
    before = width // 4
    places = (height // 2, height // 2), (before, kernel.shape[2] - 2 - before)
    last = video.shape[1] - time

    def convolve(t: int) -> jax.Array:
        # Each frame pads the kernel by itself, so that XLA does not compute the gradient of the padding.
        padded = jnp.pad(kernel, [(0, 0)] * 3 + [(0, SLOTS - 2 * channels), (0, 0)])
        return jax.lax.conv_general_dilated(
            pairs, padded, (1, 2, 1), [(-t, t - last), *places], dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
        )[:, 0]

    return tuple(convolve(t) for t in range(last + 1))
