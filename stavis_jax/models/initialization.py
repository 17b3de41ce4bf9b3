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


def as_2d(kernel: jax.Array) -> jax.Array:
    """Returns a 3D kernel that starts as a 2D one: the middle frame of a drawn kernel, 0 before and after it.

    Args:
      kernel: [kT, kH, kW, C, D]. The result's middle frame is scaled so that the outputs keep their variance.
    """
    taps = kernel.shape[0]
    middle = jnp.zeros_like(kernel).at[taps // 2]
    return middle.set(kernel[taps // 2] * taps**0.5)
