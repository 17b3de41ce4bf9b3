"""Converts networks to arrays by flat name, such as 'trunk/layer1/block0/bn1/mean', and back."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import BackendForm

Weights = dict[str, np.ndarray]


def flat_name(path: tuple) -> str:
    return "/".join(map(str, path))


def read_network(network: Stavis) -> Weights:
    """Returns the parameters and BatchNorm statistics of a network, as float32 arrays on the host."""
    flat = nnx.to_flat_state(nnx.state(network))
    return {flat_name(path): np.asarray(jax.device_get(variable[...])) for path, variable in flat}


def expected_shapes(config: NetworkConfig, form: BackendForm | None = None) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every array of a network by name, without making arrays.

    `form` does not change the shapes. With the form of a later `network_from`, the network is outlined once for both.
    """
    flat = nnx.to_flat_state(_outline(config, form)[1])
    return {flat_name(path): tuple(variable.shape) for path, variable in flat}


def network_from(config: NetworkConfig, weights: Mapping[str, Any], form: BackendForm | None = None) -> Stavis:
    """Builds a network from these arrays, which must be complete. Works inside `jit` too.

    `form`: see `Stavis`.
    """
    graphdef, state = _outline(config, form)
    arrays = [weights[flat_name(path)] for path, _ in nnx.to_flat_state(state)]
    return nnx.merge(graphdef, jax.tree.unflatten(jax.tree.structure(state), arrays))


def new_network(config: NetworkConfig, seed: int, form: BackendForm | None = None) -> Stavis:
    """Returns `Stavis(config, rngs=nnx.Rngs(seed), form=form)`, but draws the starting values several times faster."""
    return nnx.merge(_outline(config, form)[0], _starting_values(config, jax.random.key(seed)))


# Compiling takes nearly all of the time.
@functools.partial(jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
def _starting_values(config: NetworkConfig, key: jax.Array) -> nnx.State:
    return nnx.state(Stavis(config, rngs=nnx.Rngs(key)))


def fill_network(network: Stavis, weights: Mapping[str, np.ndarray]) -> list[str]:
    """Replaces a network's arrays by those of the same name. Returns the names that `weights` lacks.

    Raises:
      ValueError: an array has another shape than the network's.
    """
    left = []
    for path, variable in nnx.to_flat_state(nnx.state(network)):
        name = flat_name(path)
        if name not in weights:
            left.append(name)
            continue
        if tuple(weights[name].shape) != tuple(variable.shape):
            raise ValueError(f"{name}: shape {tuple(weights[name].shape)}, the network has {tuple(variable.shape)}")
        variable[...] = jnp.asarray(weights[name], variable.dtype)
    return left


def _outline(config: NetworkConfig, form: BackendForm | None = None) -> tuple[nnx.GraphDef[Stavis], nnx.State]:
    """Returns a network's structure, and its state with shapes in place of arrays."""
    return _cached_outline(config, form or BackendForm.for_platform())


@functools.lru_cache(maxsize=32)
def _cached_outline(config: NetworkConfig, form: BackendForm) -> tuple[nnx.GraphDef[Stavis], nnx.State]:
    return nnx.split(nnx.eval_shape(lambda: Stavis(config, rngs=nnx.Rngs(0), form=form)))
