"""Upsampling to the input size: a learned transposed convolution, and a bilinear resize."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np


def upsample_transposed(
    features: jax.Array,
    kernel: jax.Array,
    size: tuple[int, int],
    form: Literal["blocks", "matrices"] = "blocks",
) -> jax.Array:
    """Applies a transposed convolution whose kernel is twice its stride, and crops the centre to `size`.

    Where an odd number of pixels is cropped, the smaller half is cut left and top.

    Args:
      features: [B, h, w, C].
      kernel: [2s, 2s, C, D] for stride s.
      size: (H, W), at most ((h + 1) s, (w + 1) s).
      form: "blocks": each input position spreads over 2x2 output blocks of stride x stride pixels, so this is one
        matrix product and four shifted additions. "matrices" multiplies rows and columns by matrices that are nearly
        all zero, which a TPU does faster than it moves blocks of one channel. It leaves several channels to "blocks".

    Returns:
      [B, H, W, D].
    """
    if form == "matrices" and kernel.shape[-1] == 1:
        return _by_matrices(features, kernel[..., 0], size)[..., None]
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


def _by_matrices(features: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Upsamples features [B, h, w, C] with a kernel [2s, 2s, C] to [B, H, W]."""
    down, right = (_places(n, kernel.shape[0], m) for n, m in zip(features.shape[1:3], size, strict=True))
    columns = jnp.einsum("rxc,jxW->rjcW", kernel, right, precision="highest")
    rows = jnp.einsum("bijc,rjcW->birW", features, columns, precision="highest")
    return jnp.einsum("birW,irH->bHW", rows, down, precision="highest")


def _places(inputs: int, taps: int, outputs: int) -> jax.Array:
    """Returns 1 where an input position's tap falls on an output pixel, else 0: [inputs, taps, outputs]."""
    stride = taps // 2
    before = ((inputs + 1) * stride - outputs) // 2
    position, tap, pixel = np.ogrid[:inputs, :taps, :outputs]
    return jnp.asarray(position * stride + tap - before == pixel, jnp.float32)


def bilinear_kernel(stride: int) -> np.ndarray:
    """Returns the bilinear weights [2s, 2s] that a transposed convolution of stride s starts from."""
    distance = np.abs(np.arange(2 * stride) + 0.5 - stride)
    triangle = 1 - distance / stride
    return np.outer(triangle, triangle).astype(np.float32)


def upsample_bilinear(maps: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes maps [B, h, w] to [B, H, W], bilinearly with half-pixel centres, renormalised at the border."""
    return jax.image.resize(maps, (maps.shape[0], *size), method="linear", antialias=False)
