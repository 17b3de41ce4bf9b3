"""The training loop: evaluate, save, fetch, step, log."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from data_pipelines.runtime.errors import Stopped, UserError
from stavis_jax.models.stavis import Outputs, Stavis
from stavis_jax.ops.compiler_options import compiler_options
from stavis_jax.training import step
from stavis_jax.training.batches.network_inputs import HOST_KEYS, DeviceBatch, HostBatch
from stavis_jax.training.batches.placed_batches import Placed, PlacedBatches
from stavis_jax.training.batches.training_data import TrainingData
from stavis_jax.training.checkpointing.checkpoints import Checkpoints
from stavis_jax.training.devices import DataParallel, is_first_host
from stavis_jax.training.divergence import batches_to_drop, without_batch
from stavis_jax.training.first_state import first_state
from stavis_jax.training.journal import Journal
from stavis_jax.training.preemption import Preemption
from stavis_jax.training.progress import EpochLosses, NotFiniteError, Progress
from stavis_jax.training.resizing import batch_norm_shares, warn_if_statistics_change
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.training.sound_watch import SoundEffect, sound_effect, warn_if_unused
from stavis_jax.training.state_layout import place_state
from stavis_jax.training.tensorboard import TensorBoard
from stavis_jax.watch import pulse

TrainState = step.TrainState  # in the class below, `step` is a method
PRECISION = "highest"  # of products: float32 means float32 on a GPU and a TPU too


def train(
    network: Stavis,
    settings: TrainingSettings,
    data: TrainingData,
    directory: Path,
    *,
    keep: Callable[[Stavis, str], None],
    devices: DataParallel | None = None,
    tensorboard: bool = False,
    console: Console | None = None,
) -> Stavis:
    """Trains a network, or continues from the checkpoints in `directory`.

    Args:
      network: the network to start from. Its arrays do not change.
      directory: for checkpoints/, metrics.jsonl and tensorboard/.
      keep: called with the network and "best" after each epoch with the lowest validation loss so far, and with "last"
        at the end.
      devices: all devices by default.
      tensorboard: whether to write TensorBoard's files.

    Returns:
      The network after the last epoch.

    Raises:
      UserError: a checkpoint does not fit or is from other data, or a loss is not finite.
      Stopped: SIGTERM arrived. The last step is saved.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.default_matmul_precision(PRECISION))
        checkpoints = stack.enter_context(Checkpoints(directory / "checkpoints", settings.keep_checkpoints))
        training = _Training(network, settings, data, directory.name, devices or DataParallel(), checkpoints)
        if tensorboard and is_first_host():
            training.tensorboard = stack.enter_context(TensorBoard(directory / "tensorboard", training.num_steps))
        training.journal = stack.enter_context(
            Journal(
                directory / "metrics.jsonl" if is_first_host() else None,
                directory.name,
                total_steps=settings.epochs * data.steps_per_epoch,
                done_steps=training.num_steps,
                done_epochs=training.progress.epoch,
                batch_size=settings.batch_size,
                tensorboard=training.tensorboard,
                console=console,
            )
        )
        training.preemption = stack.enter_context(Preemption())
        training.run(keep)
        trained = training.network()
        keep(trained, "last")
        if training.preemption.asked_between_steps():
            raise Stopped(f"{directory.name}: this training is complete. The same command continues the run.")
    return trained


class _Training:
    """A running training: the state on the devices, the progress, and where they are written."""

    # Set by `train`, which closes them.
    journal: Journal
    preemption: Preemption
    tensorboard: TensorBoard | None = None

    def __init__(
        self,
        network: Stavis,
        settings: TrainingSettings,
        data: TrainingData,
        title: str,
        devices: DataParallel,
        checkpoints: Checkpoints,
    ):
        """Starts from `network`, or from the latest checkpoint if there is one."""
        self.settings, self.data, self.title = settings, data, title
        self.devices, self.checkpoints = devices, checkpoints
        self.constants, state = first_state(network, settings, data.steps_per_epoch)
        # The step donates the state. A copy keeps the given network usable.
        self.state = place_state(jax.device_put(state, may_alias=False), devices)
        self.films = data.place_films(devices) if data.place_films else None
        self.train_step = step.compiled_train_step(self.constants, devices, self.state, self.films)
        self.batches = PlacedBatches(data.batches, self.place)
        self.loss_step = jax.jit(
            functools.partial(step.loss_step, self.constants),
            out_shardings=devices.everywhere,
            compiler_options=compiler_options(),
        )
        now = {"steps_per_epoch": data.steps_per_epoch, "digest": data.digest}
        self.progress = Progress(now, batch_norm_shares=batch_norm_shares(network))
        if checkpoints.latest_step() is not None:
            shares = self.progress.batch_norm_shares
            self.restore()
            warn_if_statistics_change(title, self.progress.batch_norm_shares, shares, settings.batch_size)
            self.progress = dataclasses.replace(self.progress, batch_norm_shares=shares)
        if self.progress.data != now:
            raise UserError(
                f"{title}: was trained on other data ({self.progress.data['steps_per_epoch']} steps an epoch, now "
                f"{data.steps_per_epoch}). Give the same shards, or another --workdir."
            )
        self.losses = EpochLosses(title, data.films, self.progress.losses)
        self.has_warned = False  # that the sound is not used

    def restore(self) -> None:
        """Takes state, position in the data and progress from the latest checkpoint."""
        restored, self.progress = self.checkpoints.restore(self.state, self.batches)
        self.state = place_state(restored, self.devices)

    def network(self) -> Stavis:
        return self.constants.network(self.state)

    @property
    def num_steps(self) -> int:
        """Steps that are done."""
        return self.progress.epoch * self.data.steps_per_epoch + len(self.losses)

    def run(self, keep: Callable[[Stavis, str], None]) -> None:
        """Trains to the end, and goes back where a step is not finite, if the settings say so."""
        while True:
            try:
                return self.run_on(keep)
            except NotFiniteError as fault:
                if self.settings.on_nan == "stop":
                    raise
                self.go_back(fault)

    def go_back(self, fault: NotFiniteError) -> None:
        """Goes back to the last checkpoint, to go on without the batch of the step that failed."""
        failed = self.progress
        self.restore()
        self.losses = EpochLosses(self.title, self.data.films, self.progress.losses)
        self.progress = without_batch(fault, failed, self.progress, self.num_steps)
        self.journal.go_back(self.num_steps, self.progress.epoch)

    def run_on(self, keep: Callable[[Stavis, str], None]) -> None:
        """Trains to the end, or until a step is not finite.

        Evaluation comes before saving, so that a state whose validation loss is not finite is never saved. Fetching
        comes after saving: a checkpoint holds the position in the batches, so a batch that was fetched before saving
        would be skipped when the training continues.
        """
        while True:
            if len(self.losses) == self.data.steps_per_epoch:
                self.evaluate(keep)
            if self.is_due():
                self.save()
            if self.preemption.asked_between_steps():
                self.save_and_stop()
            if self.is_finished():
                return
            batch, placed = self.fetch()
            values = self.step(placed)
            with self.journal.waiting_for_data():
                self.batches.read_ahead()
            self.log(batch, values)
            if self.preemption.asked(self.num_steps):
                self.save_and_stop()

    def evaluate(self, keep: Callable[[Stavis, str], None]) -> None:
        """Ends an epoch: validates, keeps the network if it is the best so far, writes the epoch's means."""
        means = self.losses.means() | self.validate()
        if not math.isfinite(means["validation_loss"]):
            raise UserError(
                f"{self.title}: the validation_loss is {means['validation_loss']} after epoch "
                f"{self.progress.epoch + 1}. Lower the learning rate; the last checkpoint is from before."
            )
        progress = self.progress.after_epoch(means["validation_loss"])
        if progress.best_epoch == progress.epoch:
            keep(self.network(), "best")
        self.progress, self.losses = progress, EpochLosses(self.title, self.data.films)
        self.warn_if_sound_is_unused(means)
        self.journal.epoch(progress.epoch, self.settings.epochs, means, self.num_steps)

    def validate(self) -> dict[str, float]:
        """Returns loss and CC over all validation clips."""
        totals: dict[str, float] = {}
        effect: dict[str, float] = {}
        pulse.current.begin("validation")
        for i, batch in enumerate(self.data.validation()):
            placed = self.on_devices(batch)
            sums, outputs = self.loss_step(self.state, placed)
            if i == 0 and outputs.hidden is not None:
                effect = self.watch_sound(placed, outputs)
            if self.tensorboard is not None and i == 0:
                self.tensorboard.pictures(batch, jax.device_get(outputs), self.num_steps)
            sums = jax.device_get(sums)
            pulse.current.progress("validation")
            if self.preemption.asked_between_steps():
                self.save_and_stop()
            totals = {name: totals.get(name, 0) + value for name, value in sums.items()}
        pulse.current.begin("step")
        loss, correlation = (float(totals[name] / totals["count"]) for name in ("loss", "correlation"))
        return {"validation_loss": loss, "validation_cc": -correlation} | effect

    def watch_sound(self, batch: DeviceBatch, outputs: Outputs) -> dict[str, float]:
        """Returns the effect of the sound on a batch; nothing if the batch has no sound."""
        _, silenced = self.loss_step(self.state, {**batch, "waveform": jnp.zeros_like(batch["waveform"])})
        effect = sound_effect(batch["waveform"], outputs, silenced)
        return {} if math.isnan(effect.active) else {"sound_effect": effect.change, "active_units": effect.active}

    def warn_if_sound_is_unused(self, means: Mapping[str, float]) -> None:
        """Warns once if the sound has no effect on the clips of an epoch's validation."""
        if "active_units" in means and not self.has_warned and is_first_host():
            effect = SoundEffect(means["sound_effect"], means["active_units"])
            self.has_warned = warn_if_unused(effect, self.title, self.progress.epoch, is_last=self.is_finished())

    def is_due(self) -> bool:
        """Returns whether a checkpoint is due: at the start, by steps, or at the end of an epoch."""
        epoch, every_steps = self.progress.epoch, self.settings.save_every_steps
        if len(self.losses) == 0 and (epoch % self.settings.save_every == 0 or self.is_finished()):
            return True
        return bool(every_steps) and self.num_steps % every_steps == 0

    def save(self) -> None:
        progress = dataclasses.replace(self.progress, losses=self.losses.rows())
        self.checkpoints.save(self.num_steps, self.state, self.batches, progress)

    def save_and_stop(self) -> NoReturn:
        try:
            self.save()
        except NotFiniteError as fault:
            if self.settings.on_nan == "stop":
                raise
            raise Stopped(f"{fault.fault} The same command continues the run from the last checkpoint.") from None
        raise Stopped(f"{self.title}: saved at step {self.num_steps}. The same command continues the run.")

    def is_finished(self) -> bool:
        progress, settings = self.progress, self.settings
        counted_from = max(progress.best_epoch, int(settings.patience_from * settings.epochs))
        return progress.epoch >= settings.epochs or progress.epoch - counted_from >= settings.patience

    def fetch(self) -> Placed:
        try:
            with self.journal.waiting_for_data():
                for _ in range(batches_to_drop(self.num_steps, self.progress.skipped)):
                    next(self.batches)
                return next(self.batches)
        except UserError:
            if self.preemption.asked_soon():
                self.save_and_stop()  # the signal that stops this process has stopped the readers first
            raise

    def step(self, batch: DeviceBatch) -> dict[str, jax.Array]:
        """Updates the state with a batch on the devices. Returns the loss terms, which may still be computing."""
        side_weight = np.float32(1 - (self.progress.epoch + 1) / self.settings.epochs)
        films = self.films.arrays if self.films else {}
        self.state, values = self.train_step(self.state, films, batch, side_weight)
        return values

    def log(self, batch: HostBatch, values: dict[str, jax.Array]) -> None:
        ready = self.losses.add(self.num_steps + 1, batch.get("film", ()), values)
        self.journal.step(ready, self.num_steps - 1)

    def place(self, batch: HostBatch) -> dict[str, jax.Array]:
        return self.on_devices(self.films.rows(batch) if self.films else batch)

    def on_devices(self, batch: HostBatch) -> dict[str, jax.Array]:
        return self.devices.split_batch({name: batch[name] for name in batch if name not in HOST_KEYS})
