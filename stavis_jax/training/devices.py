"""Devices as a mesh with one axis, `data`: a batch is split over them, everything else is replicated."""

import inspect
import logging
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from data_pipelines.runtime.errors import UserError

_log = logging.getLogger(__name__)

SCORING_SECONDS = 7 * 24 * 3600  # how long the other hosts wait for the first one, which scores


class DataParallel:
    """Places arrays for jit over all devices of all hosts. XLA splits the work by their shardings (formerly pjit)."""

    def __init__(self, devices: list[jax.Device] | None = None):
        devices = devices or jax.devices()
        self.mesh = Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self.split = NamedSharding(self.mesh, PartitionSpec("data"))

    @classmethod
    def for_batch(cls, batch_size: int) -> "DataParallel":
        """Takes as many of this host's devices as the batch splits over evenly."""
        return cls(jax.devices()[: math.gcd(batch_size, jax.device_count())])

    @property
    def num_devices(self) -> int:
        return self.mesh.size

    def check_batch_size(self, batch_size: int, setting: str) -> None:
        """Raises UserError if a batch of all hosts does not split evenly. `setting` names its flag."""
        if batch_size % self.num_devices:
            raise UserError(
                f"--{setting}={batch_size}: does not split evenly over {self.num_devices} devices. "
                f"Give a multiple of {self.num_devices}."
            )

    def split_batch(self, batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
        """Takes this host's share of a batch, arrays [b, ...]. Returns arrays [B, ...], split over all devices."""
        return {name: jax.make_array_from_process_local_data(self.split, array) for name, array in batch.items()}

    def replicate(self, tree):
        """Takes a tree of arrays that are equal on all hosts. Returns it with a copy on every device."""
        return jax.device_put(tree, self.everywhere)


def connect(coordinator: str | None, num_processes: int | None, process: int | None) -> None:
    """Makes this process one of several hosts. Call it before anything else uses a device.

    A host that has finished waits SCORING_SECONDS for the others. JAX 0.7 waits 5 minutes, and a warning is logged.

    Args:
      coordinator: HOST:PORT of the first host. On TPU pods, Slurm and Open MPI, pass None for all three arguments:
        jax.distributed finds the values.
      num_processes: number of processes on all hosts.
      process: number of this process, from 0.

    Raises:
      UserError: the other hosts cannot be reached.
    """
    patience: dict[str, Any] = {"shutdown_timeout_seconds": SCORING_SECONDS}
    if patience.keys() - inspect.signature(jax.distributed.initialize).parameters.keys():
        patience = {}
        _log.warning(
            "jax %s: hosts that have ended wait 5 minutes for the first one, which scores. If scoring takes longer, "
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
    """Returns whether this process is the one that writes results."""
    return jax.process_index() == 0


def wait_for_all_hosts(name: str) -> None:
    """Waits until every host has called this function."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
