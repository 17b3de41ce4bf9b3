"""Our network in the forms of a GPU or TPU, also on a CPU, with weights from formulas."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.accelerator import subjects
from benchmarks.accelerator.subjects import Setting
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.backend_form import TEXTBOOK, BackendForm
from stavis_jax.weights.flat_names import expected_shapes

# The fields of the usual form that a setting's `form` changes, to measure what each op's form is worth.
CHANGES: dict[str, dict[str, Any]] = {
    "": {},
    "textbook": dataclasses.asdict(TEXTBOOK),
    "3D convolutions by XLA": {"conv3d": "xla"},
    "max pooling by windows": {"max_pool": "windows"},
    "two-pass BatchNorm": {"batch_norm": "two-pass"},
}


def form_of(setting: Setting, *, scoring: bool = False) -> BackendForm:
    """Returns the form that our commands use on this machine's accelerator, with the setting's changes.

    On a CPU, this is the form for GPUs.

    Raises:
      ValueError: the changes change nothing on this accelerator.
    """
    platform = "tpu" if jax.default_backend() == "tpu" else "gpu"
    usual = BackendForm.for_platform(platform, scoring=scoring, dtype=setting.stored)
    form = dataclasses.replace(usual, **CHANGES[setting.form])
    if setting.form and form == usual:
        raise ValueError(f"{setting.form}: this is already the usual form on a {platform.upper()}")
    return form


def config_of(setting: Setting) -> NetworkConfig:
    return NetworkConfig(setting.variant, setting.depth)


def device_weights(setting: Setting) -> dict[str, jax.Array]:
    """Returns the network's arrays by flat name, on the device."""
    weights = subjects.weights(setting.depth)
    return {name: jnp.asarray(weights[name]) for name in expected_shapes(config_of(setting))}
