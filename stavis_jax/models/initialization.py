"""Starting values of a training without a checkpoint, as the authors' code draws them."""

import jax
import jax.numpy as jnp
from flax import nnx

HEAD_STD = 0.001  # every 2D convolution, SoundNet included
LOGIT_BIAS = -6.0  # logits start low, because few pixels are fixated


def fan_out_normal(fan_out: int) -> nnx.Initializer:
    """Returns a normal initializer of variance 2 / fan-out, for 3D convolutions, linear and bilinear layers."""

    def initializer(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
        return jax.random.normal(key, shape, dtype) * (2 / fan_out) ** 0.5

    return initializer


head_normal = nnx.initializers.normal(HEAD_STD)
