"""Starting values, as the authors' code draws them for a training from nothing."""

import jax
import jax.numpy as jnp
from flax import nnx

HEAD_STD = 0.001  # every 2D convolution, SoundNet included
LOGIT_BIAS = -6.0  # logits start low: most pixels are not looked at


def fan_out_normal(fan_out: int) -> nnx.Initializer:
    """Normal with variance 2 / fan-out (3D convolutions, linear and bilinear layers)."""

    def initializer(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return jax.random.normal(key, shape, dtype) * (2 / fan_out) ** 0.5

    return initializer


head_normal = nnx.initializers.normal(HEAD_STD)
