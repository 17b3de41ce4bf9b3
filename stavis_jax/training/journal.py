"""The record of a training: one line of JSON per epoch, a progress bar, TensorBoard's curves."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from data_pipelines.runtime.atomic import named_if_full, write_text
from stavis_jax.training.tensorboard import TensorBoard
from stavis_jax.watch import pulse

SPEED = ("clips_per_second", "data_wait")  # differ between equal runs; other values follow from seed, data, settings
STEPS_BETWEEN_NOTES = 10


class Journal:
    """Appends a line per epoch to a file, and shows a bar over all steps of a stage."""

    def __init__(
        self,
        file: Path | None,
        title: str,
        *,
        total_steps: int,
        done_steps: int,
        done_epochs: int,
        batch_size: int,
        tensorboard: TensorBoard | None = None,
        console: Console | None = None,
    ):
        """Lines of the file after `done_epochs` are removed: these epochs are run again.

        Args:
          file: None writes and shows nothing, as on all hosts but the first.
        """
        self._file, self._title, self._batch_size, self._tensorboard = file, title, batch_size, tensorboard
        self._keep_lines(done_epochs)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),  # titles may hold brackets and braces
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps {task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not file,
        )
        self._task = self._progress.add_task(title, total=total_steps, completed=done_steps, note="")
        self._started: float | None = None
        self._waited, self._steps = 0.0, 0
        self._start_of_epoch(done_epochs)
        self._loop = pulse.current.loop(stage=title, step=done_steps, steps=total_steps)

    def __enter__(self) -> "Journal":
        self._progress.start()
        self._loop.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._loop.__exit__(*error)
        self._progress.stop()

    def go_back(self, done_steps: int, done_epochs: int) -> None:
        """Removes what was written after these steps and epochs, which are run again."""
        self._keep_lines(done_epochs)
        if self._tensorboard:
            self._tensorboard.go_back(done_steps)
        self._progress.update(self._task, completed=done_steps)
        self._start_of_epoch(done_epochs)

    def _keep_lines(self, done_epochs: int) -> None:
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lines = self._file.read_text().splitlines(keepends=True) if self._file.exists() else []
            write_text(self._file, "".join(lines[:done_epochs]))  # a kill here must not lose the lines

    @contextlib.contextmanager
    def waiting_for_data(self) -> Iterator[None]:
        """Counts the time of the block as waiting for data."""
        before = time.monotonic()
        yield
        self._waited += time.monotonic() - before

    def step(self, values: Mapping[str, float] | None, step: int) -> None:
        """Counts a step. `values` are those of step number `step`, the last one that is ready, or None."""
        if self._started is None:  # the first step compiles: speed is counted from here
            self._started, self._waited = time.monotonic(), 0.0
        else:
            self._steps += 1
        if values is not None:  # otherwise a step has begun, and another host may be missing
            self._beat(values, step)
        note: dict[str, Any] = {}
        if values is not None and (step % STEPS_BETWEEN_NOTES == 0):
            shown = f"{self._epoch_text}  loss {values['loss']:.3f}"
            if self._steps:
                shown += f"  {self._speed()['clips_per_second']:.1f} clips/s  data {self._speed()['data_wait']:.0%}"
            note = {"note": shown}
            if self._tensorboard:
                self._tensorboard.scalars("training", values, step)
        self._progress.update(self._task, advance=1, **note)

    def epoch(self, epoch: int, epochs: int, values: Mapping[str, float], step: int) -> None:
        """Writes the mean values of an epoch and its speed."""
        values = dict(values) | (self._speed() if self._steps else dict.fromkeys(SPEED, 0.0))
        self._start_of_epoch(epoch)
        if not self._file:
            return
        with named_if_full(self._file), self._file.open("a") as file:
            file.write(json.dumps({"epoch": epoch, **values}) + "\n")
        if self._tensorboard:
            self._tensorboard.scalars("epoch", values, step)
        names = {"loss": "loss", "validation_loss": "validation", "validation_cc": "CC"}
        shown = "  ".join(f"{label} {values[name]:.3f}" for name, label in names.items() if name in values)
        self._progress.update(self._task, note=f"epoch {epoch}  {shown}")
        if not self._progress.console.is_terminal and epoch % max(1, epochs // 8) == 0:  # a log shows no bar
            shown += f"  {values['clips_per_second']:.1f} clips/s, {values['data_wait']:.0%} of it waiting for data"
            line = f"{self._title}: epoch {epoch} of {epochs}  {shown}"
            self._progress.console.print(line, markup=False, highlight=False)

    def _start_of_epoch(self, done_epochs: int) -> None:
        self._epoch = done_epochs + 1
        self._epoch_text = f"epoch {self._epoch}"
        self._started, self._waited, self._steps = None, 0.0, 0

    def _beat(self, values: Mapping[str, float], step: int) -> None:
        speed = self._speed() if self._steps else {}
        loss = {"loss": values["loss"]} if "loss" in values else {}
        pulse.current.step(step, {"epoch": self._epoch, **loss, **speed})

    def _speed(self) -> dict[str, float]:
        assert self._started is not None, "no step has ended"
        seconds = time.monotonic() - self._started
        return {
            "clips_per_second": self._steps * self._batch_size / seconds,
            "data_wait": min(self._waited / seconds, 1.0),
        }
