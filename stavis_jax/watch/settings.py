"""Settings of --config.watch."""

import dataclasses
import math

from data_pipelines.runtime.errors import UserError


@dataclasses.dataclass(frozen=True)
class WatchSettings:
    """Limits after which a run that waits ends.

    Attributes:
      host_seconds: after how long without a sign of another host this one ends.
      step_seconds: how long a training step may take. 0: for ever. Steps that compile have an hour at least.

    Raises:
      UserError: a value is out of range.
    """

    host_seconds: float = 60.0
    step_seconds: float = 1800.0

    def __post_init__(self):
        if not 1 <= self.host_seconds < math.inf:
            raise UserError(f"--config.watch.host_seconds={self.host_seconds}: give 1 or more.")
        if not 0 <= self.step_seconds < math.inf:
            raise UserError(f"--config.watch.step_seconds={self.step_seconds}: give 0 or more.")
