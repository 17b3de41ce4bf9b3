"""Optimisers with a rate for each parameter: PyTorch's SGD with dampening, as the paper has it, and Adam."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class DampenedTraceState(NamedTuple):
    count: jax.Array  # type: ignore[assignment]  # optax's name, although tuples have a method of this name
    trace: optax.Updates


def dampened_trace(momentum: float, dampening: float) -> optax.GradientTransformation:
    """Returns momentum as in PyTorch's SGD: buffer = momentum * buffer + (1 - dampening) * gradient.

    The first step's buffer is the undampened gradient: with dampening 0.9, ten times the share of a later step.
    `optax.trace` has no dampening.
    """

    def init(params: optax.Params) -> DampenedTraceState:
        return DampenedTraceState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))

    def update(updates: optax.Updates, state: DampenedTraceState, params: Any = None):
        del params
        share = jnp.where(state.count == 0, 1.0, 1.0 - dampening)
        trace = jax.tree.map(lambda g, t: momentum * t + share.astype(g.dtype) * g, updates, state.trace)
        return trace, DampenedTraceState(state.count + 1, trace)

    return optax.GradientTransformation(init, update)


def step_schedule(base_rate: float, epochs: int, batches_per_epoch: int, accumulate: int = 1) -> optax.Schedule:
    """Returns the learning rate by optimiser step: the base rate, divided by 10 at 50% and again at 75% of the epochs.

    With 60 epochs, the lower rates are first used in epochs 30 and 45, counted from 1. Fractions of an epoch are cut
    off, as in the released code. An optimiser step takes `accumulate` batches; one that spans two epochs belongs to the
    later one.
    """
    boundaries = {(int(share * epochs) - 1) * batches_per_epoch // accumulate: 0.1 for share in (0.5, 0.75)}
    return optax.piecewise_constant_schedule(base_rate, {step: f for step, f in boundaries.items() if step > 0})


def cosine_schedule(base_rate: float, epochs: int, batches_per_epoch: int, accumulate: int = 1) -> optax.Schedule:
    """Returns the learning rate by optimiser step: up to the base rate in the first 5% of the steps, then down to 0.

    It rises linearly and falls as half a cosine.
    """
    steps = max(epochs * batches_per_epoch // accumulate, 1)
    return optax.warmup_cosine_decay_schedule(0.0, base_rate, steps // 20, steps)


def sgd(
    schedule: optax.Schedule | float,
    rate_factors: optax.Params,
    *,
    momentum: float = 0.9,
    dampening: float = 0.9,
    weight_decay: float = 1e-5,
    accumulate: int = 1,
    max_gradient_norm: float = 0.0,
) -> optax.GradientTransformation:
    """Returns SGD in which each parameter has its own learning rate.

    Args:
      schedule: base rate by optimiser step.
      rate_factors: tree like the parameters, with the rate of each relative to the base rate; 0 freezes it.
      weight_decay: added to the gradient before momentum, for every parameter, biases and BatchNorm included.
      accumulate: batches whose gradients are summed for one optimiser step.
      max_gradient_norm: longer gradients are scaled down to it; 0 changes no gradient.
    """
    transformation = optax.chain(
        *_clipping(max_gradient_norm),
        optax.add_decayed_weights(weight_decay),
        dampened_trace(momentum, dampening),
        *_rates(schedule, rate_factors),
    )
    return _accumulated(transformation, accumulate)


def adam(
    schedule: optax.Schedule | float,
    rate_factors: optax.Params,
    *,
    weight_decay: float = 1e-5,
    accumulate: int = 1,
    max_gradient_norm: float = 0.0,
) -> optax.GradientTransformation:
    """Returns Adam with decoupled weight decay (Loshchilov and Hutter, 2019), and a learning rate for each parameter.

    Args:
      weight_decay: added to the step, before the rate, for every kernel. Biases and BatchNorm do not decay.

    The other arguments are those of `sgd`.
    """
    transformation = optax.chain(
        *_clipping(max_gradient_norm),
        optax.scale_by_adam(),
        optax.add_decayed_weights(weight_decay, mask=lambda params: jax.tree.map(lambda x: x.ndim > 1, params)),
        *_rates(schedule, rate_factors),
    )
    return _accumulated(transformation, accumulate)


def _clipping(max_gradient_norm: float) -> list[optax.GradientTransformation]:
    return [optax.clip_by_global_norm(max_gradient_norm)] if max_gradient_norm else []


def _rates(schedule: optax.Schedule | float, rate_factors: optax.Params) -> list[optax.GradientTransformation]:
    return [
        optax.stateless(lambda updates, _: jax.tree.map(lambda u, f: u * f, updates, rate_factors)),
        optax.scale_by_learning_rate(schedule),
    ]


def _accumulated(transformation: optax.GradientTransformation, accumulate: int) -> optax.GradientTransformation:
    if accumulate == 1:
        return transformation
    return optax.MultiSteps(transformation, accumulate, use_grad_mean=False).gradient_transformation()
