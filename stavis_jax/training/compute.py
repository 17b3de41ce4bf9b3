"""How a training computes: number format, BatchNorm's statistics, memory for the backward pass."""

import dataclasses

import jax.numpy as jnp

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.layers import BatchNorm
from stavis_jax.models.resnet3d import Layer
from stavis_jax.models.stavis import Stavis

CHOICES = {"dtype": ("auto", "float32", "bfloat16"), "batch_norm": ("global", "per-device")}


@dataclasses.dataclass(frozen=True)
class Compute:
    """Settings of --config.compute.

    Attributes:
      dtype: number format of the trunk's activations and products, which are nearly all of the work. Parameters,
        statistics, heads, sound and losses stay float32. "auto": bfloat16 on a GPU or TPU, float32 on a CPU.
      batch_norm: "global": statistics over the whole batch. "per-device": over each device's share, as in the released
        training with PyTorch's DataParallel; the running statistics are then those of the first device.
      rematerialize: computes residual blocks again in the backward pass. This needs less memory and about a third more
        work.
    """

    dtype: str = "auto"
    batch_norm: str = "global"
    rematerialize: bool = False

    def __post_init__(self):
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(f"--config.compute.{name}={getattr(self, name)}: choose from {', '.join(choices)}.")

    def configure(self, network: Stavis, num_devices: int) -> None:
        """Sets the network's layers in place. Its parameters stay as they are."""
        half = self.dtype == "bfloat16" or (self.dtype == "auto" and network.form.trains_in_bfloat16)
        network.trunk.dtype = jnp.dtype(jnp.bfloat16 if half else jnp.float32)
        network.trunk.set_attributes(Layer, rematerialize=self.rematerialize)
        network.set_attributes(BatchNorm, groups=num_devices if self.batch_norm == "per-device" else 1)
