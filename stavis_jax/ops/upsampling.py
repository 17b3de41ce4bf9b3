"""Upsampling to the input size: a learned transposed convolution, and a bilinear resize."""

import jax
import jax.numpy as jnp
import numpy as np


def upsample_transposed(features: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Applies a transposed convolution whose kernel is twice its stride, and crops the centre to `size`.

    Each input position spreads over 2x2 output blocks of stride x stride pixels, so this is one matrix product and four
    shifted additions. Where an odd number of pixels is cropped, the smaller half is cut left and top.

    Args:
      features: [B, h, w, C].
      kernel: [2s, 2s, C, D] for stride s.
      size: (H, W), at most ((h + 1) s, (w + 1) s).

    Returns:
      [B, H, W, D].
    """
    batch, height, width, channels = features.shape
    stride, depth = kernel.shape[0] // 2, kernel.shape[3]
    spread = features @ kernel.transpose(2, 0, 1, 3).reshape(channels, -1)
    spread = spread.reshape(batch, height, width, 2, stride, 2, stride, depth).transpose(3, 5, 0, 1, 4, 2, 6, 7)
    blocks = jnp.zeros((batch, height + 1, stride, width + 1, stride, depth), features.dtype)
    for down in range(2):
        for right in range(2):
            padding = ((0, 0), (down, 1 - down), (0, 0), (right, 1 - right), (0, 0), (0, 0))
            blocks += jnp.pad(spread[down, right], padding)
    full = blocks.reshape(batch, (height + 1) * stride, (width + 1) * stride, depth)
    top, left = (full.shape[1] - size[0]) // 2, (full.shape[2] - size[1]) // 2
    return full[:, top : top + size[0], left : left + size[1]]


def bilinear_kernel(stride: int) -> np.ndarray:
    """Returns the bilinear weights [2s, 2s] that a transposed convolution of stride s starts from."""
    distance = np.abs(np.arange(2 * stride) + 0.5 - stride)
    triangle = 1 - distance / stride
    return np.outer(triangle, triangle).astype(np.float32)


def upsample_bilinear(maps: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes maps [B, h, w] to [B, H, W], bilinearly with half-pixel centres, renormalised at the border."""
    return jax.image.resize(maps, (maps.shape[0], *size), method="linear", antialias=False)
