"""The three terms of the training loss (paper, section 3.5). Each returns one value per sample, [B].

Weights, masks and means are applied in the training step. Every term is finite, with a finite gradient, for an empty
fixation map, a constant target and a constant prediction.
"""

import dataclasses

import jax
import jax.numpy as jnp
import optax

FLOAT32_EPSILON = 1.1920929e-07
# A prediction whose spread is below this share of its mean is constant up to float32 rounding.
CONSTANT_RELATIVE_SPREAD = 1e-6


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the terms in the total loss (paper, section 3.5)."""

    cross_entropy: float = 0.1
    correlation: float = 2.0
    nss: float = 1.0


def cross_entropy(logits: jax.Array, density: jax.Array) -> jax.Array:
    """Returns the sigmoid cross-entropy against density / 255, summed over pixels.

    Args:
      logits: [B, H, W].
      density: fixation density map [B, H, W] in [0, 255].
    """
    return jnp.sum(optax.sigmoid_binary_cross_entropy(logits, density / 255), axis=(1, 2))


def correlation(logits: jax.Array, density: jax.Array) -> jax.Array:
    """Returns minus the Pearson correlation of sigmoid(logits) with the density map; 0 if either is constant.

    Args:
      logits: [B, H, W].
      density: fixation density map [B, H, W] in [0, 255].
    """
    deviation, spread, constant = _deviation(logits)
    density = density - jnp.mean(density, axis=(1, 2), keepdims=True)
    covariance = jnp.sum(deviation * density, axis=(1, 2))
    density_square = jnp.sum(jnp.square(density), axis=(1, 2)) + FLOAT32_EPSILON
    pixels = logits.shape[1] * logits.shape[2]
    return -jnp.where(constant, 0, covariance / (spread * jnp.sqrt(pixels * density_square)))


def nss(logits: jax.Array, fixations: jax.Array) -> jax.Array:
    """Returns minus the mean of the standardised sigmoid(logits) over fixated pixels.

    The result is 0 without a fixation and for a constant prediction. The standard deviation is the population's, as in
    the released training.

    Args:
      logits: [B, H, W].
      fixations: [B, H, W], 0 or 1.
    """
    deviation, spread, constant = _deviation(logits)
    at_fixations = jnp.sum(deviation * fixations, axis=(1, 2))
    count = jnp.sum(fixations, axis=(1, 2)) + FLOAT32_EPSILON
    return -jnp.where(constant, 0, at_fixations / (spread * count))


def loss_terms(
    logits: jax.Array, density: jax.Array, fixations: jax.Array, weights: LossWeights
) -> dict[str, jax.Array]:
    """Returns the three terms by name, and their weighted sum "loss", each [B]."""
    terms = {
        "cross_entropy": cross_entropy(logits, density),
        "correlation": correlation(logits, density),
        "nss": nss(logits, fixations),
    }
    return terms | {"loss": sum(getattr(weights, name) * term for name, term in terms.items())}


def _deviation(logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns sigmoid(logits) minus its mean [B, H, W], its deviation [B] (1 if constant), and whether constant [B]."""
    saliency = jax.nn.sigmoid(logits)
    mean = jnp.mean(saliency, axis=(1, 2), keepdims=True)
    deviation = saliency - mean
    # Again, because the first mean is rounded: a constant map would keep a small constant remainder.
    deviation = deviation - jnp.mean(deviation, axis=(1, 2), keepdims=True)
    variance = jnp.mean(jnp.square(deviation), axis=(1, 2))
    constant = variance <= jnp.square(CONSTANT_RELATIVE_SPREAD * mean[:, 0, 0])
    # The inner `where` keeps the square root's infinite slope at 0 out of the gradient.
    return deviation, jnp.sqrt(jnp.where(constant, 1, variance)), constant
