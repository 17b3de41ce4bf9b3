"""Devices as a mesh with one axis, `data`: a batch is split over them, everything else is on each."""

import inspect
import logging
import math
from collections.abc import Mapping

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from data_pipelines.runtime.errors import UserError

_log = logging.getLogger(__name__)

SCORING_SECONDS = 7 * 24 * 3600  # how long the other hosts wait for the first one to end


class DataParallel:
    """Places arrays for jit over all devices of all hosts; XLA does the rest (what was pjit is jit with shardings)."""

    def __init__(self, devices: list[jax.Device] | None = None):
        devices = devices or jax.devices()
        self.mesh = Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self.split = NamedSharding(self.mesh, PartitionSpec("data"))

    @classmethod
    def for_batch(cls, batch_size: int) -> "DataParallel":
        """As many of this host's devices as a batch splits over evenly."""
        return cls(jax.devices()[: math.gcd(batch_size, jax.device_count())])

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
        """A tree of arrays, equal on all hosts -> the same on every device."""
        return jax.device_put(tree, self.everywhere)


def connect(coordinator: str | None, num_processes: int | None, process: int | None) -> None:
    """Makes this process one of several hosts; before anything else touches a device.

    On TPU pods, Slurm and Open MPI nothing need be given: jax.distributed finds it out. A host that has ended waits for
    the others, for SCORING_SECONDS, or for 5 minutes where JAX cannot be told (0.7); a warning says so.

    Raises:
      UserError: the others are not reached.
    """
    patience = {"shutdown_timeout_seconds": SCORING_SECONDS}
    if patience.keys() - inspect.signature(jax.distributed.initialize).parameters.keys():
        patience = {}
        _log.warning(
            "jax %s: hosts that are done wait 5 minutes for the first one, which scores. If that may take longer, "
            "give --mode=train, and then --mode=evaluate on one host.",
            jax.__version__,
        )
    try:
        jax.distributed.initialize(coordinator, num_processes, process, **patience)
    except (RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise UserError(
            f"--coordinator={coordinator}: cannot join the other hosts ({reason}). "
            "Start every host with the same --coordinator=HOST:PORT and --processes, each with its own --process."
        ) from error


def is_first_host() -> bool:
    """Whether this process writes what is written once."""
    return jax.process_index() == 0


def wait_for_all_hosts(name: str) -> None:
    """Returns when every host has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
