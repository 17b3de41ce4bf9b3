"""One stage of training: evaluate, save, fetch, step, log."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from data_pipelines.errors import UserError
from stavis_jax.checkpoints import Checkpoints
from stavis_jax.losses import LossWeights
from stavis_jax.models.stavis import Stavis
from stavis_jax.training import optimizer, step
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.journal import Journal

ON_DEVICE = ("clip", "waveform", "density", "fixations", "weight")  # a batch's other keys say which clips they are


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a stage learns; configs/ say where each value comes from."""

    epochs: int
    batch_size: int  # of all devices, at once
    effective_batch: int  # gradients are accumulated up to it
    learning_rate: float
    group_rates: Mapping[str, float]
    momentum: float = 0.9
    dampening: float = 0.9
    weight_decay: float = 1e-5
    patience: int = 10  # epochs without a better validation loss before stopping
    save_every: int = 1  # epochs between checkpoints
    freeze_upsampling: bool = False
    loss_weights: LossWeights = LossWeights()

    def __post_init__(self):
        for name in ("epochs", "batch_size", "effective_batch", "patience", "save_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: give 1 or more.")
        if self.effective_batch % self.batch_size:
            raise UserError(
                f"effective_batch={self.effective_batch}: not a multiple of batch_size={self.batch_size}. "
                "Gradients are accumulated over whole batches: choose two that divide."
            )


def train(
    network: Stavis,
    recipe: Recipe,
    batches: Iterator[Mapping[str, np.ndarray]],
    steps_per_epoch: int,
    validation: Callable[[], Iterable[Mapping[str, np.ndarray]]],
    directory: Path,
    *,
    keep: Callable[[Stavis, str], None],
    devices: DataParallel | None = None,
    console: Console | None = None,
) -> Stavis:
    """Trains a network, or goes on where the checkpoints in `directory` end.

    Args:
      network: what to start from; unchanged.
      recipe: the stage's settings.
      batches: training batches without end; its position is saved with the weights.
      steps_per_epoch: batches an epoch.
      validation: gives the batches of one validation pass.
      directory: for checkpoints/ and metrics.jsonl.
      keep: called with the network and "best" after each epoch of lowest validation loss, "last" at the end.

    Returns:
      The network after the last epoch.

    Raises:
      UserError: a checkpoint that does not fit, a batch that does not split, or a loss that is not finite.
    """
    devices = devices or DataParallel()
    accumulate = recipe.effective_batch // recipe.batch_size
    schedule = optimizer.step_schedule(recipe.learning_rate, recipe.epochs, steps_per_epoch, accumulate)
    make_optimizer = functools.partial(
        optimizer.sgd,
        schedule,
        momentum=recipe.momentum,
        dampening=recipe.dampening,
        weight_decay=recipe.weight_decay,
        accumulate=accumulate,
    )
    job, state = step.create(
        network,
        make_optimizer,
        recipe.group_rates,
        effective_batch=recipe.effective_batch,
        loss_weights=recipe.loss_weights,
        freeze_upsampling=recipe.freeze_upsampling,
    )
    # A copy of its own: the step donates the state, and the network given must stay usable.
    state = devices.replicate(jax.tree.map(jnp.copy, state))
    train_step = jax.jit(functools.partial(step.train_step, job), donate_argnums=0, out_shardings=devices.everywhere)
    loss_step = jax.jit(functools.partial(step.loss_step, job), out_shardings=devices.everywhere)

    def on_devices(batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        return devices.split_batch({name: batch[name] for name in ON_DEVICE})

    progress = {"epoch": 0, "best_loss": None, "best_epoch": 0}
    with Checkpoints(directory / "checkpoints") as checkpoints:
        if checkpoints.latest_step() is not None:
            state, progress = checkpoints.restore(state, batches)
        with Journal(
            directory / "metrics.jsonl",
            directory.name,
            total_steps=recipe.epochs * steps_per_epoch,
            done_steps=int(state.step),
            done_epochs=progress["epoch"],
            console=console,
        ) as journal:
            while not _finished(progress, recipe):
                epoch = progress["epoch"] + 1
                side_weight = jnp.float32(1 - epoch / recipe.epochs)
                logged = []
                for _ in range(steps_per_epoch):
                    state, values = train_step(state, on_devices(next(batches)), side_weight)
                    logged.append(values)
                    journal.step()
                means = _mean([jax.device_get(values) for values in logged])
                means["validation_loss"] = _validation_loss(loss_step, state, map(on_devices, validation()))
                for name in ("loss", "validation_loss"):
                    if not math.isfinite(means[name]):
                        raise UserError(
                            f"{directory.name}: the {name} is {means[name]} in epoch {epoch}. "
                            "Lower the learning rate; the last checkpoint is from before."
                        )
                progress |= {"epoch": epoch}
                if progress["best_loss"] is None or means["validation_loss"] < progress["best_loss"]:
                    progress |= {"best_loss": means["validation_loss"], "best_epoch": epoch}
                    keep(job.network(state), "best")
                journal.epoch(epoch, recipe.epochs, means)
                if epoch % recipe.save_every == 0 or _finished(progress, recipe):
                    checkpoints.save(state, batches, progress)
    trained = job.network(state)
    keep(trained, "last")
    return trained


def _finished(progress: Mapping, recipe: Recipe) -> bool:
    return progress["epoch"] >= recipe.epochs or progress["epoch"] - progress["best_epoch"] >= recipe.patience


def _mean(rows: list[Mapping[str, np.ndarray]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _validation_loss(loss_step: Callable, state: step.TrainState, batches: Iterable[Mapping[str, jax.Array]]) -> float:
    sums = [jax.device_get(loss_step(state, batch)) for batch in batches]
    return float(sum(row["loss"] for row in sums) / sum(row["count"] for row in sums))
