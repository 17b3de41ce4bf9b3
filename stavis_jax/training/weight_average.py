"""A running mean of the weights over the steps of a training, which predicts better than the last step's weights."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AveragedState(NamedTuple):
    """The state of an optimiser that also keeps the mean of the weights."""

    optimizer: optax.OptState
    updates: jax.Array  # number of updates so far
    mean: Any  # a tree like the parameters


def with_average(optimizer: optax.GradientTransformation, decay: float) -> optax.GradientTransformation:
    """Returns an optimiser that keeps mean = decay * mean + (1 - decay) * weights after each of its updates.

    Early on the decay is smaller, (1 + n) / (10 + n) at update n, so that the random start is soon forgotten.

    Args:
      optimizer: the optimiser, whose updates stay the same.
      decay: at least 0, less than 1.
    """

    def init(params: optax.Params) -> AveragedState:
        return AveragedState(optimizer.init(params), jnp.zeros((), jnp.int32), jax.tree.map(jnp.array, params))

    def update(updates: optax.Updates, state: AveragedState, params: Any = None):
        updates, inner = optimizer.update(updates, state.optimizer, params)
        count = state.updates.astype(jnp.float32)
        share = 1 - jnp.minimum(decay, (1 + count) / (10 + count))
        weights = optax.apply_updates(params, updates)
        mean = jax.tree.map(lambda m, w: m + share.astype(m.dtype) * (w - m), state.mean, weights)
        return updates, AveragedState(inner, state.updates + 1, mean)

    return optax.GradientTransformation(init, update)


def averaged_weights(params: Any, optimizer_state: optax.OptState) -> Any:
    """Returns the mean of the weights if the optimiser keeps it, else `params`."""
    return optimizer_state.mean if isinstance(optimizer_state, AveragedState) else params
