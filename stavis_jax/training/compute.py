"""How a training computes: number format, BatchNorm's statistics, memory for the backward pass."""

import dataclasses

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.layers import BatchNorm
from stavis_jax.models.resnet3d import Layer
from stavis_jax.models.stavis import Stavis
from stavis_jax.ops.number_format import NUMBER_FORMATS, number_format

CHOICES = {"dtype": NUMBER_FORMATS, "batch_norm": ("global", "per-device")}


@dataclasses.dataclass(frozen=True)
class Compute:
    """Settings of --config.compute.

    Attributes:
      dtype: number format of the trunk's activations and products, which are nearly all of the work. Parameters,
        statistics, heads, sound and losses stay float32. The only exception is attention's 3x3 convolutions on a TPU,
        whose factors are rounded to it (`BackendForm.rounded_side_prep`). "auto" depends on the device
        (ops/number_format.py).
      batch_norm: "global": statistics over the whole batch. "per-device": over each device's share, as in the released
        training with PyTorch's DataParallel; the running statistics are then those of the first device.
      rematerialize: computes residual blocks again in the backward pass. On accelerators this needs less memory and
        about a third more work. XLA:CPU shares the second computation with the first one: see `BackendForm.recomputed`.
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
        network.num_devices = num_devices
        network.trunk.dtype = number_format(self.dtype)
        network.trunk.set_attributes(Layer, rematerialize=self.rematerialize)
        network.set_attributes(BatchNorm, groups=num_devices if self.batch_norm == "per-device" else 1)
