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

# What a setting's `form` changes of the form that trainings use, to measure what each op's form is worth.
CHANGES: dict[str, dict[str, Any]] = {
    "": {},
    "textbook": dataclasses.asdict(TEXTBOOK),
    "3D convolutions by XLA": {"conv3d": "xla"},
    "max pooling by windows": {"max_pool": "windows"},
    "max pooling by comparisons": {"max_pool": "comparisons"},
    "two-pass BatchNorm": {"batch_norm": "two-pass"},
    "without clip pairs": {"clip_pairs": False},
    "without time chunks": {"time_chunks": False},
}


def form_of(setting: Setting, *, scoring: bool = False) -> BackendForm:
    """Returns the form that our commands use on this machine's accelerator, and on a CPU that for a GPU."""
    platform = "tpu" if jax.default_backend() == "tpu" else "gpu"
    form = BackendForm.for_platform(platform, scoring=scoring, dtype=setting.stored)
    return dataclasses.replace(form, **CHANGES[setting.form])


def config_of(setting: Setting) -> NetworkConfig:
    return NetworkConfig(setting.variant, setting.depth)


def device_weights(setting: Setting) -> dict[str, jax.Array]:
    """Returns the network's arrays by flat name, on the device."""
    weights = subjects.weights(setting.depth)
    return {name: jnp.asarray(weights[name]) for name in expected_shapes(config_of(setting))}
