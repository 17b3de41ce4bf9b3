"""Devices as a mesh with one axis, `data`: a batch is split over them, everything else is replicated."""

import contextlib
import inspect
import math
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from data_pipelines.runtime.errors import Stopped, UserError

LATER_SECONDS = 60  # JAX ends a process without a clear line, so a watch comes first


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
        return jax.tree.map(self._replicated, tree)

    def _replicated(self, array) -> jax.Array:
        if jax.process_count() == 1 or (isinstance(array, jax.Array) and not array.is_fully_addressable):
            return jax.device_put(array, self.everywhere)
        # Where every process has one device, device_put of JAX 0.10 returns an array that cannot be saved.
        copies = [jax.device_put(array, device) for device in self.mesh.local_devices]
        return jax.make_array_from_single_device_arrays(np.shape(array), self.everywhere, copies)


def connect(
    coordinator: str | None, num_processes: int | None, process: int | None, host_seconds: float = 60.0
) -> None:
    """Makes this process one of several hosts. Call it before anything else uses a device.

    JAX ends this process if another host gives no sign of life for longer than `host_seconds`. `watch.Watch` finds that
    out before JAX does.

    Args:
      coordinator: HOST:PORT of the first host. On TPU pods, Slurm and Open MPI, pass None for all three arguments:
        jax.distributed finds the values.
      num_processes: number of processes on all hosts.
      process: number of this process, from 0.
      host_seconds: the limit of the watch.

    Raises:
      UserError: the other hosts cannot be reached.
    """
    limit: dict[str, Any] = {"heartbeat_timeout_seconds": math.ceil(host_seconds) + LATER_SECONDS}
    if limit.keys() - inspect.signature(jax.distributed.initialize).parameters.keys():
        limit = {}  # this JAX has a limit of its own
    try:
        jax.distributed.initialize(coordinator, num_processes, process, **limit)
    except (RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise UserError(
            f"--coordinator={coordinator}: cannot join the other hosts ({reason}). "
            "Start every host with the same --coordinator=HOST:PORT and --processes, each with its own --process."
        ) from error


@contextlib.contextmanager
def leaving_together() -> Iterator[None]:
    """Disconnects the hosts after the block, and when it ends by Stopped, which all hosts agree on.

    Each host may then end when it likes. Arrays on this host's devices remain.
    """
    try:
        yield
    except Stopped:
        _leave()
        raise
    _leave()


def _leave() -> None:
    if jax.process_count() == 1:
        return
    jax.distributed.shutdown()  # waits for all hosts
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)  # Python's, which JAX's own has replaced
        signal.signal(signal.SIGTERM, signal.SIG_DFL if handler is None else handler)


def is_first_host() -> bool:
    """Returns whether this process is the one that writes results."""
    return jax.process_index() == 0


def of_all_hosts(values: np.typing.ArrayLike) -> list[int]:
    """Returns the values of all hosts, which call this function together, each with as many."""
    if jax.process_count() == 1:
        return np.asarray(values, np.int64).tolist()
    return multihost_utils.process_allgather(np.asarray(values, np.int32)).ravel().tolist()


def wait_for_all_hosts(name: str) -> None:
    """Waits until every host has called this function."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
