"""Settings of one training, checked. configs/ gives the sources of the paper's values."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

from data_pipelines.inputs.windows import CLIP_FRAMES
from data_pipelines.runtime.errors import UserError
from stavis_jax.training.losses import LossWeights

CHOICES = {"optimizer": ("sgd", "adam"), "schedule": ("steps", "cosine"), "on_nan": ("stop", "skip")}


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
      batch_size: clips per batch, over all devices.
      effective_batch: clips per update; gradients are accumulated up to it.
      group_rates: learning rate of each parameter group, relative to `learning_rate`.
      frames: how many of a clip's 16 frames the network sees in training and validation, around the target frame. With
        1 it learns from pictures, which is several times faster. Kernels that started as 2D ones then stay so.
      optimizer: "sgd", or "adam", which takes no momentum and dampening.
      schedule: "steps", the paper's, or "cosine".
      average: decay of the running mean of the weights that is validated, kept and scored; 0: the weights of the last
        step are.
      max_gradient_norm: longer gradients are scaled down to it; 0: never.
      patience: number of epochs without a better validation loss after which the training stops.
      patience_from: share of the epochs before which patience does not count, so that a training that waits for a drop
        of its learning rate goes on.
      on_nan: what happens when a step is not finite: "stop", or "skip" its batch and go on from the last checkpoint.
      save_every: epochs between checkpoints.
      save_every_steps: steps between checkpoints; 0: by epoch only.

    Raises:
      UserError: a value is out of range; the message starts with the setting.
    """

    epochs: int
    batch_size: int
    effective_batch: int
    learning_rate: float
    group_rates: Mapping[str, float]
    frames: int = CLIP_FRAMES
    optimizer: Literal["sgd", "adam"] = "sgd"
    schedule: Literal["steps", "cosine"] = "steps"
    average: float = 0.0
    momentum: float = 0.9
    dampening: float = 0.9
    weight_decay: float = 1e-5
    max_gradient_norm: float = 0.0
    patience: int = 10
    patience_from: float = 0.0
    on_nan: Literal["stop", "skip"] = "stop"
    save_every: int = 1
    save_every_steps: int = 0
    keep_checkpoints: int = 2
    freeze_upsampling: bool = False
    loss_weights: LossWeights = LossWeights()

    def __post_init__(self):
        rates = {f"group_rates.{group}": rate for group, rate in self.group_rates.items()}
        rates |= {name: getattr(self, name) for name in ("learning_rate", "weight_decay", "max_gradient_norm")}
        rates |= {f"loss_weights.{term}": weight for term, weight in dataclasses.asdict(self.loss_weights).items()}
        for name, value in rates.items():
            if not 0 <= value < math.inf:
                raise UserError(f"{name}={value}: give 0 or more.")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(f"{name}={getattr(self, name)}: choose from {', '.join(choices)}.")
        for name in ("momentum", "dampening", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: give 0 or more, and less than 1.")
        if not 0 <= self.patience_from <= 1:
            raise UserError(f"patience_from={self.patience_from}: give a share of the epochs, from 0 to 1.")
        if self.save_every_steps < 0:
            raise UserError(f"save_every_steps={self.save_every_steps}: give 0 or more.")
        for name in ("epochs", "batch_size", "effective_batch", "patience", "save_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: give 1 or more.")
        if not 1 <= self.frames <= CLIP_FRAMES:
            raise UserError(f"frames={self.frames}: give 1 to {CLIP_FRAMES}.")
        if self.effective_batch % self.batch_size:
            raise UserError(
                f"effective_batch={self.effective_batch}: not a multiple of batch_size={self.batch_size}. "
                "Gradients are accumulated over whole batches, so give a multiple."
            )

    @property
    def accumulate(self) -> int:
        """Batches per update."""
        return self.effective_batch // self.batch_size
