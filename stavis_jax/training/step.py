"""The train step, which updates the network with one batch, and the loss step, which only computes the loss."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from data_pipelines.inputs.windows import CLIP_FRAMES
from stavis_jax.models.stavis import Outputs, Stavis
from stavis_jax.ops.compiler_options import training_options
from stavis_jax.training import losses, parameter_groups
from stavis_jax.training.batches.device_films import DeviceFilms
from stavis_jax.training.batches.network_inputs import DeviceBatch, network_inputs
from stavis_jax.training.compiler_memory import give_back_after_compiling
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.state_layout import state_formats
from stavis_jax.training.weight_average import averaged_weights
from stavis_jax.weights.flat_names import flat_name


class TrainState(NamedTuple):
    """Everything that a train step changes."""

    step: jax.Array  # number of batches seen
    params: nnx.State
    batch_stats: nnx.State
    optimizer: optax.OptState


@dataclasses.dataclass(frozen=True)
class StepConstants:
    """The constants of a training: the network's structure, the optimiser, the loss."""

    graphdef: nnx.GraphDef
    optimizer: optax.GradientTransformation
    loss_weights: losses.LossWeights
    effective_batch: int
    frames: int = CLIP_FRAMES

    def network(self, state: TrainState) -> Stavis:
        """Returns the network to predict with: of the averaged weights, if the training averages them."""
        return nnx.merge(self.graphdef, averaged_weights(state.params, state.optimizer), state.batch_stats)


def create(
    network: Stavis,
    make_optimizer: Callable[[optax.Params], optax.GradientTransformation],
    group_rates: Mapping[str, float],
    *,
    effective_batch: int,
    loss_weights: losses.LossWeights | None = None,
    freeze_upsampling: bool = False,
    frames: int = CLIP_FRAMES,
) -> tuple[StepConstants, TrainState]:
    """Returns the constants and the first state of a training that starts from `network`.

    Args:
      make_optimizer: makes the optimiser from a tree like the parameters, with the rate of each relative to the base
        rate.
      group_rates: rate of each parameter group, relative to the base rate.
      effective_batch: clips per update.
      freeze_upsampling: keeps the upsampling kernels as they are.
      frames: how many frames of a clip the network sees, around the target frame.
    """
    parts: Any = nnx.split(network, nnx.Param, nnx.BatchStat)
    graphdef, params, batch_stats = parts
    names = [flat_name(path) for path, _ in nnx.to_flat_state(params)]
    by_name = parameter_groups.rate_factors(names, network.config.variant, group_rates, freeze_upsampling)
    factors = jax.tree.unflatten(jax.tree.structure(params), [by_name[name] for name in names])
    optimizer = make_optimizer(factors)
    state = TrainState(jnp.zeros((), jnp.int32), params, batch_stats, jax.jit(optimizer.init)(params))
    return StepConstants(graphdef, optimizer, loss_weights or losses.LossWeights(), effective_batch, frames), state


def train_step(
    constants: StepConstants, state: TrainState, batch: DeviceBatch, side_weight: jax.Array
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Updates the network from one batch, or adds the batch's share where gradients are accumulated.

    Args:
      constants: from `create`.
      state: the state before the batch. Donate it.
      batch: see `DeviceBatch`.
      side_weight: weight of each side output's loss, 1 - epoch / epochs.

    Returns:
      The state after the batch, and the batch's means: "loss", "cross_entropy", "correlation", "nss", "grad_norm".
    """
    gradients, terms, batch_stats = loss_gradients(constants, state, batch, side_weight)
    return apply_gradients(constants, state, gradients, batch_stats), terms | {"grad_norm": optax.tree.norm(gradients)}


def compiled_train_step(
    constants: StepConstants,
    devices: DataParallel,
    like: TrainState,
    films: DeviceFilms | None = None,
    platform: str | None = None,
) -> Any:
    """Returns the jitted train step: (state, arrays of `films`, batch, side_weight) -> (state, values).

    The state is donated. Lower or call the step inside `jax.default_matmul_precision`, as training/loop.py does.

    Args:
      constants: the training's constants.
      devices: the devices over which batches are split.
      like: a state of arrays or of their shapes. Give the step states that `place_state` has placed.
      films: films on the devices, from which batches without pixels get their clips. If batches have pixels, pass None;
        the step then ignores its second argument.
      platform: the platform whose compiler options and order of arrays are used; None is JAX's default backend.
    """

    def program(
        state: TrainState, arrays: DeviceBatch, batch: DeviceBatch, side_weight: jax.Array
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        if films:
            batch = films.gather(arrays, batch)
        return train_step(constants, state, batch, side_weight)

    program.__name__ = train_step.__name__  # in profiles
    shardings = state_formats(like, devices, platform), devices.everywhere
    options = training_options(platform)
    if (platform or jax.default_backend()) == "cpu":
        give_back_after_compiling()
    return jax.jit(program, donate_argnums=0, out_shardings=shardings, compiler_options=options)


def apply_gradients(
    constants: StepConstants, state: TrainState, gradients: nnx.State, batch_stats: nnx.State
) -> TrainState:
    """Returns the state after an update with a batch's gradients."""
    updates, optimizer = constants.optimizer.update(gradients, state.optimizer, state.params)
    return TrainState(state.step + 1, optax.apply_updates(state.params, updates), batch_stats, optimizer)


def loss_gradients(
    constants: StepConstants, state: TrainState, batch: DeviceBatch, side_weight: jax.Array
) -> tuple[nnx.State, dict[str, jax.Array], nnx.State]:
    """Returns gradients of a batch's share of the loss, the batch's means, and the BatchNorm statistics afterwards."""
    batch = network_inputs(_around_target(batch, constants.frames))

    def loss_of(params: nnx.State):
        # A new tree, since flax lets a variable change only inside the trace that made it.
        network = nnx.merge(constants.graphdef, params, jax.tree.map(lambda x: x, state.batch_stats))
        outputs = network(batch["clip"], batch.get("waveform"), train=True)
        total, terms = _total_loss(constants, outputs, batch, side_weight)
        return total, (terms, nnx.state(network, nnx.BatchStat))

    gradients, (terms, batch_stats) = jax.grad(loss_of, has_aux=True)(state.params)
    return gradients, terms, batch_stats


def loss_step(constants: StepConstants, state: TrainState, batch: DeviceBatch) -> tuple[dict[str, jax.Array], Outputs]:
    """Returns the main output's loss on a batch in scoring mode, and the outputs.

    The loss is given as sums of the terms over the valid clips, with their "count".
    """
    batch = network_inputs(_around_target(batch, constants.frames))
    outputs = constants.network(state)(batch["clip"], batch.get("waveform"))
    values = _terms(constants, outputs.logits, batch)
    sums = {name: jnp.sum(value * batch["weight"]) for name, value in values.items()}
    return sums | {"count": jnp.sum(batch["weight"])}, outputs._replace(side_logits=())


def _around_target(batch: DeviceBatch, frames: int) -> DeviceBatch:
    """Cuts the clips to the frames around their target frame, which is the eighth of 16, or just before the middle."""
    clip = batch["clip"]
    first = (clip.shape[1] - 1) // 2 - (frames - 1) // 2
    return batch if frames >= clip.shape[1] else {**batch, "clip": clip[:, first : first + frames]}


def _terms(constants: StepConstants, logits: jax.Array, batch: DeviceBatch) -> dict[str, jax.Array]:
    """Returns the loss terms and their weighted sum "loss", one value per sample."""
    return losses.loss_terms(logits, batch["density"], batch["fixations"], constants.loss_weights)


def _total_loss(
    constants: StepConstants, outputs: Outputs, batch: DeviceBatch, side_weight: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns the batch's share of the loss, and the means of the terms over its valid clips."""
    terms = _terms(constants, outputs.logits, batch)
    for logits in outputs.side_logits:
        terms["loss"] = terms["loss"] + side_weight * _terms(constants, logits, batch)["loss"]
    sums = {name: jnp.sum(value * batch["weight"]) for name, value in terms.items()}
    valid = jnp.maximum(jnp.sum(batch["weight"]), 1)
    # Divided by the effective batch, so that the shares of an accumulated batch add up to its mean.
    return sums["loss"] / constants.effective_batch, {name: value / valid for name, value in sums.items()}
