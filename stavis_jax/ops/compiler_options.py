"""Options of XLA for the compiled functions of the network."""

import functools
import os

import jax

CHANNELS_LAST = "xla_gpu_force_conv_nhwc"


@functools.cache
def compiler_options(platform: str | None = None) -> dict[str, str | bool]:
    """Returns the options for `jax.jit` on a platform; None is JAX's default backend.

    On an NVIDIA GPU, convolutions keep their channels last, as the network has them; XLA by itself transposes 3D
    convolutions to channels first. The option is left out if XLA_FLAGS names it, or if this version of XLA lacks it.
    """
    if (platform or jax.default_backend()) != "gpu" or CHANNELS_LAST in os.environ.get("XLA_FLAGS", ""):
        return {}
    options: dict[str, str | bool] = {CHANNELS_LAST: True}
    try:
        jax.jit(lambda: 0).lower().compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:  # no such option
        return {}
    return options
