"""Progress of a training: finished epochs, the best epoch, and the losses of the current epoch."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.training.devices import of_all_hosts

StepValues = dict[str, float]  # the values of one step, by name


@dataclasses.dataclass(frozen=True)
class Progress:
    """Saved as JSON with each checkpoint.

    Attributes:
      data: identifies the training data.
      epoch: finished epochs.
      best_loss, best_epoch: lowest validation loss, and the epoch that it is from (from 1).
      losses: values of the steps of the current epoch.
      skipped: batches that no step uses, numbered from 0 in the order of the data, ascending.
      batch_norm_shares: parts of a batch with BatchNorm statistics of their own; 0 in checkpoints that lack it.
    """

    data: Mapping[str, Any]
    epoch: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    losses: Sequence[StepValues] = ()
    skipped: Sequence[int] = ()
    batch_norm_shares: int = 0

    def after_epoch(self, validation_loss: float) -> "Progress":
        """Returns the progress at the end of the current epoch."""
        epoch = self.epoch + 1
        if self.best_loss is None or validation_loss < self.best_loss:
            return dataclasses.replace(self, epoch=epoch, best_loss=validation_loss, best_epoch=epoch, losses=())
        return dataclasses.replace(self, epoch=epoch, losses=())


class NotFiniteError(UserError):
    """A value of a step is not finite. All hosts raise it at the same step.

    Attributes:
      step: number of the step, from 1.
      fault: a sentence that names the training, the value, the step and the films.
    """

    def __init__(self, step: int, fault: str, advice: str):
        super().__init__(f"{fault} {advice}")
        self.step, self.fault = step, fault


class EpochLosses:
    """The values of an epoch's steps. Each step is read one step late, so that devices need not wait for the host."""

    def __init__(self, title: str, films: Sequence[str], rows: Sequence[StepValues] = ()):
        """
        Args:
          title: training, for messages.
          films: names by the batches' "film", for messages.
          rows: steps that are done already.
        """
        self._title, self._films, self._rows = title, films, list(rows)
        self._pending: tuple[int, Sequence[int] | np.ndarray, Mapping[str, jax.Array]] | None = None

    def __len__(self) -> int:
        return len(self._rows) + (self._pending is not None)

    def add(self, step: int, films: Sequence[int] | np.ndarray, values: Mapping[str, jax.Array]) -> StepValues | None:
        """Adds a step, whose values need not be ready. Returns the values of the step before, if there is one.

        Raises:
          NotFiniteError: a value of the step before is not finite.
        """
        ready = self._read_pending()
        self._pending = step, films, values
        return ready

    def rows(self) -> list[StepValues]:
        """Waits for the last step and returns the values of all. Raises NotFiniteError as `add` does."""
        self._read_pending()
        return list(self._rows)

    def means(self) -> StepValues:
        """Waits for the last step and returns the means of all. Raises NotFiniteError as `add` does."""
        rows = self.rows()
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _read_pending(self) -> StepValues | None:
        if self._pending is None:
            return None
        step, films, values = self._pending
        self._pending = None
        row = {name: float(value) for name, value in jax.device_get(values).items()}
        fault = next((f"{name} is {value}" for name, value in row.items() if not math.isfinite(value)), None)
        if fault:
            names = [self._films[i] for i in sorted(set(of_all_hosts(films)))] if self._films else []
            where = f", on clips of {', '.join(sorted(names))}" if names else ""
            raise NotFiniteError(
                step,
                f"{self._title}: the {fault} at step {step}{where}.",
                "Lower the learning rate, set max_gradient_norm or look at these films; the last checkpoint is from "
                "before.",
            )
        self._rows.append(row)
        return row
