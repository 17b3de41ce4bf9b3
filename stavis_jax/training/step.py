"""STATE, BATCH -> STATE: one update of the network; and the loss of a batch without one."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from stavis_jax.models.stavis import Outputs, Stavis
from stavis_jax.training import losses, parameter_groups
from stavis_jax.weights.flat_names import flat_name

Batch = Mapping[str, jax.Array]
"""clip [B, 16, S, S, 3], waveform [B, N], density [B, S, S] in 0..255, fixations [B, S, S] of 0/1, weight [B]."""


class TrainState(NamedTuple):
    """All that a step changes."""

    step: jax.Array  # batches seen
    params: nnx.State
    batch_stats: nnx.State
    optimizer: optax.OptState


@dataclasses.dataclass(frozen=True)
class Job:
    """What stays the same over a training: the network's structure, the optimiser, the loss."""

    graphdef: nnx.GraphDef
    optimizer: optax.GradientTransformation
    loss_weights: losses.LossWeights
    effective_batch: int

    def network(self, state: TrainState) -> Stavis:
        return nnx.merge(self.graphdef, state.params, state.batch_stats)


def create(
    network: Stavis,
    make_optimizer: Callable[[optax.Params], optax.GradientTransformation],
    group_rates: Mapping[str, float],
    *,
    effective_batch: int,
    loss_weights: losses.LossWeights | None = None,
    freeze_upsampling: bool = False,
) -> tuple[Job, TrainState]:
    """A training about to start from `network`; `make_optimizer` takes the tree of rate factors."""
    graphdef, params, batch_stats = nnx.split(network, nnx.Param, nnx.BatchStat)
    names = [flat_name(path) for path, _ in nnx.to_flat_state(params)]
    by_name = parameter_groups.rate_factors(names, network.config.variant, group_rates, freeze_upsampling)
    factors = jax.tree.unflatten(jax.tree.structure(params), [by_name[name] for name in names])
    optimizer = make_optimizer(factors)
    state = TrainState(jnp.zeros((), jnp.int32), params, batch_stats, optimizer.init(params))
    return Job(graphdef, optimizer, loss_weights or losses.LossWeights(), effective_batch), state


def train_step(
    job: Job, state: TrainState, batch: Batch, side_weight: jax.Array
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One batch, one update (or one share of it, where gradients are accumulated).

    Args:
      job: constants.
      state: before the batch; donate it.
      batch: see Batch.
      side_weight: weight of each side output's loss, 1 - epoch / epochs.

    Returns:
      The state after it, and {"loss", "cross_entropy", "correlation", "nss", "grad_norm"} as the batch's means.
    """

    gradients, terms, batch_stats = loss_gradients(job, state, batch, side_weight)
    return apply_gradients(job, state, gradients, batch_stats), terms | {"grad_norm": optax.tree.norm(gradients)}


def apply_gradients(job: Job, state: TrainState, gradients: nnx.State, batch_stats: nnx.State) -> TrainState:
    """The state after the optimiser has had a batch's gradients."""
    updates, optimizer = job.optimizer.update(gradients, state.optimizer, state.params)
    return TrainState(state.step + 1, optax.apply_updates(state.params, updates), batch_stats, optimizer)


def loss_gradients(
    job: Job, state: TrainState, batch: Batch, side_weight: jax.Array
) -> tuple[nnx.State, dict[str, jax.Array], nnx.State]:
    """Gradients of a batch's share of the loss, the batch's mean terms, and the BatchNorm statistics after it."""

    def loss_of(params: nnx.State):
        # A fresh tree: flax lets a variable change only inside the trace that made it.
        network = nnx.merge(job.graphdef, params, jax.tree.map(lambda x: x, state.batch_stats))
        outputs = network(batch["clip"], batch["waveform"], train=True)
        total, terms = _total_loss(job, outputs, batch, side_weight)
        return total, (terms, nnx.state(network, nnx.BatchStat))

    gradients, (terms, batch_stats) = jax.grad(loss_of, has_aux=True)(state.params)
    return gradients, terms, batch_stats


def loss_step(job: Job, state: TrainState, batch: Batch) -> tuple[dict[str, jax.Array], Outputs]:
    """The main output's loss on a batch in scoring mode: sums over the valid clips, their "count"; and the outputs."""
    outputs = job.network(state)(batch["clip"], batch["waveform"])
    values = _terms(job, outputs.logits, batch)
    sums = {name: jnp.sum(value * batch["weight"]) for name, value in values.items()}
    return sums | {"count": jnp.sum(batch["weight"])}, outputs._replace(side_logits=())


def _terms(job: Job, logits: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Each term and their weighted sum "loss", one value a sample."""
    weights = job.loss_weights
    terms = {
        "cross_entropy": losses.cross_entropy(logits, batch["density"]),
        "correlation": losses.correlation(logits, batch["density"]),
        "nss": losses.nss(logits, batch["fixations"]),
    }
    return terms | {"loss": sum(getattr(weights, name) * value for name, value in terms.items())}


def _total_loss(job: Job, outputs: Outputs, batch: Batch, side_weight: jax.Array):
    terms = _terms(job, outputs.logits, batch)
    per_sample = terms["loss"]
    for logits in outputs.side_logits:
        side = losses.saliency_loss(logits, batch["density"], batch["fixations"], job.loss_weights)
        per_sample = per_sample + side_weight * side
    # A sum over clips over the effective batch: shares of an accumulated batch then add up to its mean.
    total = jnp.sum(per_sample * batch["weight"]) / job.effective_batch
    valid = jnp.maximum(jnp.sum(batch["weight"]), 1)
    means = {name: jnp.sum(value * batch["weight"]) / valid for name, value in terms.items()}
    return total, means | {"loss": jnp.sum(per_sample * batch["weight"]) / valid}
