"""Devices as a mesh with one axis, `data`: a batch is split over them, everything else is on each."""

from collections.abc import Mapping

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from data_pipelines.errors import UserError


class DataParallel:
    """Places arrays for jit over all devices of all hosts; XLA does the rest (what was pjit is jit with shardings)."""

    def __init__(self, devices: list[jax.Device] | None = None):
        devices = devices or jax.devices()
        self.mesh = Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self.split = NamedSharding(self.mesh, PartitionSpec("data"))

    @property
    def num_devices(self) -> int:
        return self.mesh.size

    def check_batch_size(self, batch_size: int, setting: str) -> None:
        """Raises UserError where a global batch does not split evenly."""
        if batch_size % self.num_devices:
            raise UserError(
                f"--{setting}={batch_size}: does not split over {self.num_devices} devices. "
                f"Give a multiple of {self.num_devices}."
            )

    def split_batch(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """This host's share of a batch, arrays [b, ...] -> global arrays [B, ...] split over the devices."""
        return {name: jax.make_array_from_process_local_data(self.split, array) for name, array in batch.items()}

    def replicate(self, tree):
        """A tree of arrays -> the same on every device."""
        return jax.device_put(tree, self.everywhere)
