"""Options of XLA for the compiled functions of the network."""

import functools
import os

import jax

CHANNELS_LAST = "xla_gpu_force_conv_nhwc"
SCHEDULER = "xla_cpu_scheduler_type"

Options = dict[str, str | bool]


@functools.cache
def compiler_options(platform: str | None = None) -> Options:
    """Returns the options for `jax.jit` on a platform; None is JAX's default backend.

    On an NVIDIA GPU, convolutions keep their channels last, as the network has them; XLA by itself transposes 3D
    convolutions to channels first. The option is left out if XLA_FLAGS names it, or if this version of XLA lacks it.
    """
    return _supported({CHANNELS_LAST: True}) if (platform or jax.default_backend()) == "gpu" else {}


@functools.cache
def training_options(platform: str | None = None) -> Options:
    """Returns the options for a train step on a platform: those of `compiler_options`, and on a CPU one more.

    XLA:CPU then orders operations so that they need little memory. By default it orders them for threads that run
    several at once, which 2 cores gain nothing from.
    """
    if (platform or jax.default_backend()) == "cpu":
        return _supported({SCHEDULER: "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"})
    return compiler_options(platform)


def _supported(options: Options) -> Options:
    """Returns the options, or none if XLA_FLAGS names one of them or this version of XLA lacks one."""
    if any(name in os.environ.get("XLA_FLAGS", "") for name in options):
        return {}
    try:
        jax.jit(lambda: 0).lower().compile(compiler_options=options)
    except jax.errors.JaxRuntimeError:  # no such option
        return {}
    return options
