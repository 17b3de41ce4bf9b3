"""Progress of a training: finished epochs, the best epoch, and the losses of the current epoch."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from data_pipelines.runtime.errors import UserError

StepValues = dict[str, float]  # the values of one step, by name


@dataclasses.dataclass(frozen=True)
class Progress:
    """Saved as JSON with each checkpoint.

    Attributes:
      data: identifies the training data.
      epoch: finished epochs.
      best_loss, best_epoch: lowest validation loss, and the epoch that it is from (from 1).
      losses: values of the steps of the current epoch.
    """

    data: Mapping[str, Any]
    epoch: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    losses: Sequence[StepValues] = ()

    def after_epoch(self, validation_loss: float) -> "Progress":
        """Returns the progress at the end of the current epoch."""
        epoch = self.epoch + 1
        if self.best_loss is None or validation_loss < self.best_loss:
            return Progress(self.data, epoch, validation_loss, epoch)
        return Progress(self.data, epoch, self.best_loss, self.best_epoch)


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
          UserError: a value of the step before is not finite.
        """
        ready = self._read_pending()
        self._pending = step, films, values
        return ready

    def rows(self) -> list[StepValues]:
        """Waits for the last step and returns the values of all. Raises UserError as `add` does."""
        self._read_pending()
        return list(self._rows)

    def _read_pending(self) -> StepValues | None:
        if self._pending is None:
            return None
        step, films, values = self._pending
        self._pending = None
        row = {name: float(value) for name, value in jax.device_get(values).items()}
        fault = next((f"{name} is {value}" for name, value in row.items() if not math.isfinite(value)), None)
        if fault:
            names = sorted({self._films[i] for i in np.asarray(films).tolist()}) if self._films else []
            where = f", on clips of {', '.join(names)}" if names else ""
            raise UserError(
                f"{self._title}: the {fault} at step {step}{where}. Lower the learning rate, set max_gradient_norm or "
                "look at these films; the last checkpoint is from before."
            )
        self._rows.append(row)
        return row
