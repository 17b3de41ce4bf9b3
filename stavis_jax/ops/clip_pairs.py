"""Two clips side by side as channels of one, for layers with fewer channels than a TPU has lanes.

A TPU computes and stores 128 channels at a time, so a video [B, T, H, W, 64] takes as long as one of 128 channels. Two
neighbouring clips of the batch become one video [B/2, T, H, W, 128]: the channels of the first clip, then those of the
second. Convolutions keep them apart with a block-diagonal kernel, BatchNorm adds up the statistics of both.
"""

import jax
import jax.numpy as jnp

LANES = 128


def paired(video: jax.Array, devices: int = 1) -> jax.Array:
    """Returns [B, T, H, W, C] as [B/2, T, H, W, 2C]; the video as it is, if a device's share of the clips is odd."""
    batch, *places, channels = video.shape
    if batch % (2 * devices):
        return video
    pairs = jnp.moveaxis(video.reshape(batch // 2, 2, *places, channels), 1, -2)
    return pairs.reshape(batch // 2, *places, 2 * channels)


def unpaired(array: jax.Array, channels: int) -> jax.Array:
    """Splits clips that are side by side: [B/k, ..., k C] -> [B, ..., C]. k may be 1."""
    batch, *places, width = array.shape
    clips = width // channels
    if clips == 1:
        return array
    apart = jnp.moveaxis(array.reshape(batch, *places, clips, channels), -2, 1)
    return apart.reshape(batch * clips, *places, channels)


def block_diagonal(kernel: jax.Array, clips: int) -> jax.Array:
    """Builds the kernel [..., k C, k D] that applies the kernel [..., C, D] to each of k clips side by side."""
    if clips == 1:
        return kernel
    *places, channels, features = kernel.shape
    shape = (*places, clips, channels, clips, features)
    blocks = jnp.broadcast_to(kernel[..., None, :, None, :], shape)
    own = jnp.broadcast_to(jnp.eye(clips, dtype=bool)[:, None, :, None], shape)
    return jnp.where(own, blocks, jnp.zeros_like(blocks)).reshape(*places, clips * channels, clips * features)


def repeated(vector: jax.Array, width: int) -> jax.Array:
    """Returns a vector [C] repeated for each of the clips side by side: [width]."""
    return vector if vector.size == width else jnp.tile(vector, width // vector.size)


def sum_of_clips(sums: jax.Array, channels: int) -> jax.Array:
    """Adds up the sums [k C] of k clips side by side: [C]."""
    return sums if sums.size == channels else sums.reshape(-1, channels).sum(axis=0)


def map_of_pairs(factor: jax.Array, video: jax.Array) -> jax.Array:
    """Returns a map [B, H, W] of every clip so that it multiplies a video [B/k, T, H, W, k C]; k is 1 or 2."""
    if factor.shape[0] == video.shape[0]:
        return factor[:, None, :, :, None]
    first, second = factor[0::2, None, :, :, None], factor[1::2, None, :, :, None]
    channel = jnp.arange(video.shape[-1]).reshape(1, 1, 1, 1, -1)
    return jnp.where(channel < video.shape[-1] // 2, first, second)
