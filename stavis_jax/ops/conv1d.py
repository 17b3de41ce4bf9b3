"""1D convolution of waveforms in two forms."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

LONGEST_FOR_COLUMNS = 2048  # steps; for longer signals, gathering the columns costs more than it saves


def conv1d(
    signal: jax.Array, kernel: jax.Array, stride: int, padding: int, form: Literal["xla", "columns"] = "xla"
) -> jax.Array:
    """Cross-correlates a signal with a kernel.

    Args:
      signal: [B, S, C].
      kernel: [k, C, D].
      stride: steps between outputs.
      padding: zeros added on each side.
      form: "columns" computes short signals as one matrix product over gathered columns, because XLA:CPU is slow on
        small 1D convolutions.

    Returns:
      [B, (S + 2 padding - k) // stride + 1, D].
    """
    if form == "columns" and signal.shape[1] <= LONGEST_FOR_COLUMNS:
        return _conv_columns(signal, kernel, stride, padding)
    return lax.conv_general_dilated(
        signal, kernel, (stride,), [(padding, padding)], dimension_numbers=("NWC", "WIO", "NWC")
    )


def _conv_columns(signal: jax.Array, kernel: jax.Array, stride: int, padding: int) -> jax.Array:
    taps, channels, features = kernel.shape
    signal = jnp.pad(signal, ((0, 0), (padding, padding), (0, 0)))
    length = (signal.shape[1] - taps) // stride + 1
    columns = [signal[:, k : k + (length - 1) * stride + 1 : stride] for k in range(taps)]
    return jnp.concatenate(columns, axis=-1) @ kernel.reshape(taps * channels, features)
