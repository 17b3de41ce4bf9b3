"""Our network in the textbook form for arrays, with weights from formulas. The form is the same on every machine."""

import jax
import jax.numpy as jnp

from benchmarks.accelerator import subjects
from benchmarks.accelerator.subjects import Setting
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.weights.flat_names import expected_shapes

FORM = TEXTBOOK  # rewrites.py replaces its operations; the usual form for GPUs is three of these rewrites


def config_of(setting: Setting) -> NetworkConfig:
    return NetworkConfig(setting.variant, setting.depth)


def device_weights(setting: Setting) -> dict[str, jax.Array]:
    """Returns the network's arrays by flat name, on the device."""
    weights = subjects.weights(setting.depth)
    return {name: jnp.asarray(weights[name]) for name in expected_shapes(config_of(setting))}
