"""The number format of the trunk's activations and products: float32, or bfloat16 on devices that multiply it fast."""

import jax
import jax.numpy as jnp

NUMBER_FORMATS = ("auto", "float32", "bfloat16")
FIRST_WITH_BFLOAT16 = 8.0  # compute capability of NVIDIA's Ampere: A100, RTX 30. T4 and V100 have less.


def number_format(choice: str = "auto", device: jax.Device | None = None) -> jnp.dtype:
    """Returns the dtype for a choice.

    Args:
      choice: one of NUMBER_FORMATS. "auto": bfloat16 on TPUs and on NVIDIA GPUs that have it, otherwise float32.
      device: the device that computes; None is JAX's first device. Only "auto" looks at it.

    Raises:
      ValueError: the choice is not one of NUMBER_FORMATS.
    """
    if choice not in NUMBER_FORMATS:
        raise ValueError(f"number format {choice!r} is not one of {', '.join(NUMBER_FORMATS)}")
    if choice == "auto":
        choice = "bfloat16" if _has_bfloat16(device or jax.devices()[0]) else "float32"
    return jnp.dtype(choice)


def _has_bfloat16(device: jax.Device) -> bool:
    if device.platform != "gpu":
        return device.platform == "tpu"
    try:
        return float(device.compute_capability) >= FIRST_WITH_BFLOAT16
    except (AttributeError, ValueError):  # not NVIDIA's: AMD's capability is a name such as gfx90a
        return False
