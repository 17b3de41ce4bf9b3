"""BatchNorm folded into the 1x1x1 convolution before it, also in training.

The output of a 1x1x1 convolution is y = a K at every place. So the mean of y is that of a times K, and the variance of
feature d is K_d^T cov(a) K_d. Where K makes four features of a channel, it is cheaper to compute the covariance of a
than to write y and read it again, in the forward and in the backward pass. Gradients flow through the covariance.
"""

import functools

import jax
import jax.numpy as jnp

from stavis_jax.ops.batch_norm import Statistics
from stavis_jax.ops.clip_pairs import sum_of_clips


def folded(
    video: jax.Array, kernel: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, Statistics]:
    """Folds the normalisation by the batch's statistics into a kernel.

    Args:
      video: the convolution's input [B, T, H, W, C], or clips side by side [B/k, T, H, W, k C].
      kernel: [1, 1, 1, C, D], float32.
      scale: [D], BatchNorm's.
      bias: [D], BatchNorm's.
      epsilon: added to the variance.

    Returns:
      The kernel and the bias [D] of the convolution that also normalises, and the statistics of the output of the
      convolution that does not.
    """
    matrix = kernel[0, 0, 0]
    mean_in, products = _moments(video, matrix.shape[0])
    covariance = products - jnp.outer(mean_in, mean_in)
    multiply = functools.partial(jnp.matmul, precision="highest")
    mean = multiply(mean_in, matrix)
    var = jnp.maximum(jnp.sum(matrix * multiply(covariance, matrix), axis=0), 0)
    factor = scale * jax.lax.rsqrt(var + epsilon)
    count = jnp.float32(video.size // matrix.shape[0])
    return kernel * jnp.broadcast_to(factor, kernel.shape), bias - mean * factor, Statistics(mean, var, count)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _moments(video: jax.Array, channels: int) -> tuple[jax.Array, jax.Array]:
    """Returns the mean [C] and the mean products of two channels [C, C], float32."""
    places = tuple(range(video.ndim - 1))
    count = video.size // channels
    products = jax.lax.dot_general(
        video, video, ((places, places), ((), ())), precision="highest", preferred_element_type=jnp.float32
    )
    clips = video.shape[-1] // channels
    blocks = products.reshape(clips, channels, clips, channels)
    own = jnp.einsum("kckd->cd", blocks)  # without the products of different clips
    return sum_of_clips(jnp.sum(video.astype(jnp.float32), places), channels) / count, own / count


def _forward(video: jax.Array, channels: int) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    return _moments(video, channels), video


def _backward(channels: int, video: jax.Array, gradients: tuple[jax.Array, jax.Array]) -> tuple[jax.Array]:
    d_mean, d_products = gradients
    count, clips = video.size // channels, video.shape[-1] // channels
    matrix = jnp.kron(jnp.eye(clips), (d_products + d_products.T) / count).astype(video.dtype)
    d_video = jnp.matmul(video, matrix, precision="highest").astype(jnp.float32)
    return ((d_video + jnp.broadcast_to(jnp.tile(d_mean / count, clips), video.shape)).astype(video.dtype),)


_moments.defvjp(_forward, _backward)
