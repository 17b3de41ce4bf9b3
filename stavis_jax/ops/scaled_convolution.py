"""A 1x1x1 convolution of a video times a map, whose gradients read little.

A map scales whole places, so a place's share of the map's gradient is the product of the output and its gradient over
the map. They have fewer channels than the video and its gradient, which need not be written for this.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from stavis_jax.ops.video import scale_by_map, sum_of_products

Convolve = Callable[[jax.Array, jax.Array], jax.Array]
Arrays = tuple[jax.Array, ...]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def convolve_scaled(convolve: Convolve, video: jax.Array, kernel: jax.Array, factor: jax.Array) -> jax.Array:
    """Returns the convolution of a video times a map.

    Args:
      convolve: computes a 1x1x1 convolution with stride 1 from a video and a kernel.
      video: [B, T, H, W, C], or clips side by side [B/k, T, H, W, k C] (ops/clip_pairs.py).
      kernel: what `convolve` takes.
      factor: [B, H, W], float32, nowhere zero.
    """
    return convolve(jnp.asarray(scale_by_map(video, factor)), kernel)


def _forward(convolve: Convolve, video: jax.Array, kernel: jax.Array, factor: jax.Array) -> tuple[jax.Array, Arrays]:
    output = convolve_scaled(convolve, video, kernel, factor)
    return output, (video, kernel, factor, output)


def _backward(convolve: Convolve, kept: Arrays, gradient: jax.Array) -> Arrays:
    video, kernel, factor, output = kept
    _, pull_back = jax.vjp(
        lambda video, kernel: convolve(jnp.asarray(scale_by_map(video, factor)), kernel), video, kernel
    )
    return (*pull_back(gradient), sum_of_products(output, gradient, factor) / factor)


convolve_scaled.defvjp(_forward, _backward)
