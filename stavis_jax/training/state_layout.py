"""How a training's state lies in the devices' memory."""

from typing import Any

import jax
from jax.experimental.layout import Format, Layout

from stavis_jax.training.devices import DataParallel

KERNEL_3D = (4, 0, 1, 2, 3)  # axes of a kernel [kT, kH, kW, C, D], the slowest first, as cuDNN reads it


def state_formats(state: Any, devices: DataParallel, platform: str | None = None) -> Any:
    """Returns where each array of a state lies, and in which order: a tree like the state, for `jax.jit`.

    A GPU keeps the kernels of 3D convolutions and their momentum in cuDNN's order. Otherwise each step would transpose
    them before and after its update. The arrays' shapes and numbers do not change.

    Args:
      state: a `TrainState`, of arrays or of their shapes.
      platform: whose order; None is JAX's default backend.
    """
    if (platform or jax.default_backend()) != "gpu":
        return jax.tree.map(lambda _: devices.everywhere, state)
    kernel = Format(Layout(KERNEL_3D), devices.everywhere)
    return jax.tree.map(lambda x: kernel if x.ndim == len(KERNEL_3D) else devices.everywhere, state)


def place_state(state: Any, devices: DataParallel, platform: str | None = None) -> Any:
    """Returns a state with a copy on every device, where and in the order in which `state_formats` has its arrays."""
    state, formats = devices.replicate(state), state_formats(state, devices, platform)
    if not any(isinstance(one, Format) for one in jax.tree.leaves(formats)):
        return state
    return jax.jit(lambda arrays: arrays, out_shardings=formats)(state)  # one program, not one for each array
