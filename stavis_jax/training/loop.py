"""One stage of training: evaluate, save, fetch, step, log."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from data_pipelines.runtime.errors import Stopped, UserError
from stavis_jax.models.stavis import Stavis
from stavis_jax.training import optimizer, step
from stavis_jax.training.checkpoints import Checkpoints
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel, is_first_host
from stavis_jax.training.journal import Journal
from stavis_jax.training.losses import LossWeights
from stavis_jax.training.preemption import Preemption
from stavis_jax.training.tensorboard import Board

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
    max_gradient_norm: float = 0.0  # a longer gradient is scaled down to it; 0: never
    patience: int = 10  # epochs without a better validation loss before stopping
    save_every: int = 1  # epochs between checkpoints
    save_every_steps: int = 0  # and steps between them; 0: epochs alone
    keep_checkpoints: int = 2
    freeze_upsampling: bool = False
    loss_weights: LossWeights = LossWeights()

    def __post_init__(self):
        rates = {name: getattr(self, name) for name in ("learning_rate", "weight_decay", "max_gradient_norm")}
        for name, value in (rates | {f"group_rates.{group}": rate for group, rate in self.group_rates.items()}).items():
            if not 0 <= value < math.inf:
                raise UserError(f"{name}={value}: give 0 or more.")
        for name in ("momentum", "dampening"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: give 0 or more, and less than 1.")
        if self.save_every_steps < 0:
            raise UserError(f"save_every_steps={self.save_every_steps}: give 0 or more.")
        for name in ("epochs", "batch_size", "effective_batch", "patience", "save_every", "keep_checkpoints"):
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
    films: Sequence[str] = (),
    data_digest: str = "",
    compute: Compute | None = None,
    devices: DataParallel | None = None,
    tensorboard: bool = False,
    console: Console | None = None,
) -> Stavis:
    """Trains a network, or goes on where the checkpoints in `directory` end.

    Args:
      network: what to start from; its arrays stay as they are.
      recipe: the stage's settings.
      batches: training batches without end; its position is saved with the weights. Of several hosts, this one's.
      steps_per_epoch: batches an epoch.
      validation: gives the batches of one validation pass.
      directory: for checkpoints/, metrics.jsonl and tensorboard/.
      keep: called with the network and "best" after each epoch of lowest validation loss, "last" at the end.
      films: names by the batches' "film", for messages.
      data_digest: tells these training data from others: going on with others is refused.
      compute: number format and BatchNorm's statistics.

    Returns:
      The network after the last epoch.

    Raises:
      UserError: a checkpoint that does not fit or is of other data, a batch that does not split, a loss that is not
        finite.
      Stopped: on SIGTERM, after a checkpoint of the last step.
    """
    devices = devices or DataParallel()
    (compute or Compute()).configure(network, devices.num_devices)
    job, state = _start(network, recipe, steps_per_epoch)
    # A copy of its own: the step donates the state, and the network given must stay usable.
    state = devices.replicate(jax.tree.map(jnp.copy, state))
    train_step = jax.jit(functools.partial(step.train_step, job), donate_argnums=0, out_shardings=devices.everywhere)
    loss_step = jax.jit(functools.partial(step.loss_step, job), out_shardings=devices.everywhere)
    data = {"steps_per_epoch": steps_per_epoch, "digest": data_digest}
    progress = {"epoch": 0, "best_loss": None, "best_epoch": 0, "losses": [], "data": data}
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.default_matmul_precision("highest"))  # float32 means float32 on a GPU and a TPU too
        checkpoints = stack.enter_context(Checkpoints(directory / "checkpoints", recipe.keep_checkpoints))
        if checkpoints.latest_step() is not None:
            state, progress = checkpoints.restore(state, batches)
            if progress["data"] != data:
                raise UserError(
                    f"{directory}: was trained on other data ({progress['data']['steps_per_epoch']} steps an epoch, "
                    f"now {steps_per_epoch}). Give the same shards, or another --workdir."
                )
        else:
            checkpoints.save(state, batches, progress)  # a fault in the first epoch leaves something to go on from
        done_steps = int(state.step)
        board = None
        if tensorboard and is_first_host():
            board = stack.enter_context(Board(directory / "tensorboard", done_steps))
        journal = stack.enter_context(
            Journal(
                directory / "metrics.jsonl",
                directory.name,
                total_steps=recipe.epochs * steps_per_epoch,
                done_steps=done_steps,
                done_epochs=progress["epoch"],
                batch_size=recipe.batch_size,
                board=board,
                console=console,
                writes=is_first_host(),
            )
        )
        preemption = stack.enter_context(Preemption())
        while not _finished(progress, recipe):
            epoch = progress["epoch"] + 1
            side_weight = jnp.float32(1 - epoch / recipe.epochs)
            losses = _Losses(directory.name, films, progress["losses"])
            done = number = (epoch - 1) * steps_per_epoch + len(losses.rows)
            for number in range(done + 1, epoch * steps_per_epoch + 1):
                try:
                    with journal.waiting_for_data():
                        batch = next(batches)
                except UserError:
                    if not preemption.asked_soon():
                        raise
                    checkpoints.save(state, batches, progress | {"losses": losses.finish()})
                    raise _stopped(directory, number - 1) from None  # what stops us has stopped the readers too
                state, values = train_step(state, _on_devices(devices, batch), side_weight)
                ready = losses.add(number, batch.get("film", ()), values)
                journal.step(ready, number - 1)
                stop = preemption.asked(number)
                if stop or (recipe.save_every_steps and number % recipe.save_every_steps == 0):
                    checkpoints.save(state, batches, progress | {"losses": losses.finish()})
                if stop:
                    raise _stopped(directory, number)
            means = _mean(losses.finish())
            sums = []
            for row in _validation_sums(loss_step, state, devices, validation, board, number):
                if preemption.asked_between_steps():
                    checkpoints.save(state, batches, progress | {"losses": losses.finish()})
                    raise _stopped(directory, number)
                sums.append(row)
            means |= _validation_means(sums)
            if not math.isfinite(means["validation_loss"]):
                raise UserError(
                    f"{directory.name}: the validation_loss is {means['validation_loss']} after epoch {epoch}. "
                    "Lower the learning rate; the last checkpoint is from before."
                )
            progress = progress | {"epoch": epoch, "losses": []}
            if progress["best_loss"] is None or means["validation_loss"] < progress["best_loss"]:
                progress |= {"best_loss": means["validation_loss"], "best_epoch": epoch}
                keep(job.network(state), "best")
            journal.epoch(epoch, recipe.epochs, means, number)
            stop = preemption.asked_between_steps()
            if stop or epoch % recipe.save_every == 0 or _finished(progress, recipe):
                checkpoints.save(state, batches, progress)
            if stop:
                raise _stopped(directory, number)
        trained = job.network(state)
        keep(trained, "last")
        if preemption.asked_between_steps():
            raise Stopped(f"{directory.name}: trained to its end. The same command goes on from there.")
    return trained


class _Losses:
    """The losses of an epoch's steps. Each is looked at one step late, so that devices need not wait for the host."""

    def __init__(self, title: str, films: Sequence[str], rows: Sequence[Mapping[str, float]]):
        self.rows = list(rows)
        self._title, self._films = title, films
        self._waiting: tuple[int, Sequence[int], Mapping[str, jax.Array]] | None = None

    def add(self, number: int, batch_films: Sequence[int], values: Mapping[str, jax.Array]) -> dict[str, float] | None:
        """Notes a step whose values are on their way; returns those of the step before, or None."""
        ready = self._take()
        self._waiting = number, batch_films, values
        return ready

    def finish(self) -> list[dict[str, float]]:
        """All rows, the last one waited for."""
        self._take()
        return list(self.rows)

    def _take(self) -> dict[str, float] | None:
        if self._waiting is None:
            return None
        number, batch_films, values = self._waiting
        self._waiting = None
        row = {name: float(value) for name, value in jax.device_get(values).items()}
        if not all(map(math.isfinite, row.values())):
            names = sorted({self._films[i] for i in np.asarray(batch_films).tolist()}) if self._films else []
            fault = next(f"{name} is {value}" for name, value in row.items() if not math.isfinite(value))
            raise UserError(
                f"{self._title}: the {fault} at step {number}"
                + (f", on clips of {', '.join(names)}" if names else "")
                + ". Lower the learning rate, set max_gradient_norm or look at these films; "
                "the last checkpoint is from before."
            )
        self.rows.append(row)
        return row


def _start(network: Stavis, recipe: Recipe, steps_per_epoch: int) -> tuple[step.Job, step.TrainState]:
    accumulate = recipe.effective_batch // recipe.batch_size
    schedule = optimizer.step_schedule(recipe.learning_rate, recipe.epochs, steps_per_epoch, accumulate)
    make_optimizer = functools.partial(
        optimizer.sgd,
        schedule,
        momentum=recipe.momentum,
        dampening=recipe.dampening,
        weight_decay=recipe.weight_decay,
        max_gradient_norm=recipe.max_gradient_norm,
        accumulate=accumulate,
    )
    return step.create(
        network,
        make_optimizer,
        recipe.group_rates,
        effective_batch=recipe.effective_batch,
        loss_weights=recipe.loss_weights,
        freeze_upsampling=recipe.freeze_upsampling,
    )


def _on_devices(devices: DataParallel, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
    return devices.split_batch({name: batch[name] for name in ON_DEVICE})


def _finished(progress: Mapping, recipe: Recipe) -> bool:
    return progress["epoch"] >= recipe.epochs or progress["epoch"] - progress["best_epoch"] >= recipe.patience


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _stopped(directory: Path, number: int) -> Stopped:
    return Stopped(f"{directory.name}: saved at step {number}. The same command goes on from there.")


def _validation_sums(
    loss_step: Callable,
    state: step.TrainState,
    devices: DataParallel,
    validation: Callable[[], Iterable[Mapping[str, np.ndarray]]],
    board: Board | None,
    number: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Sums of each validation batch, one by one; shows the first batch on the board."""
    for i, batch in enumerate(validation()):
        values, outputs = loss_step(state, _on_devices(devices, batch))
        if board is not None and i == 0:
            board.pictures(batch, jax.device_get(outputs), number)
        yield jax.device_get(values)


def _validation_means(sums: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Loss and CC over all clips."""
    count = sum(row["count"] for row in sums)
    total = {name: float(sum(row[name] for row in sums) / count) for name in ("loss", "correlation")}
    return {"validation_loss": total["loss"], "validation_cc": -total["correlation"]}
