"""Films in the memory of the devices, as 8-bit pixels. A train step gathers its clips there."""

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Format, Layout
from jax.sharding import PartitionSpec, SingleDeviceSharding

from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.training.devices import DataParallel

FLAG = "--config.data.placement=device"
ADVICE = "Use more devices, fewer --config.data.databases, or --config.data.placement=host."

# Axes of the arrays on a TPU, the slowest first. By itself, XLA makes the frames the fastest axis there, and then every
# step copies all films before it gathers clips: twice the memory, and as many cycles as the rest of the step.
TPU_ORDER = {"clip": (0, 3, 1, 2), "density": (0, 1, 2), "fixations": (0, 1, 2)}
TPU_LANES = 128  # the fastest axis, the width, is padded to a multiple


class FrameSource(Protocol):
    """Reads films, as `data_pipelines.shards.reader.Shards` does. S = `size` is the side of a frame in pixels."""

    size: int

    def copy_images(self, film: int, frames: Sequence[int], out: np.ndarray) -> None:
        """Fills `out`, uint8 [N, S, S, 3], with the pictures of N frames, numbered from 1."""

    def copy_maps(self, film: int, frame: int, density: np.ndarray, fixations: np.ndarray) -> None:
        """Fills both arrays, uint8 [S, S], with the maps of a frame."""


class DeviceFilms:
    """Films on the devices of a mesh, each device with an equal share of the frames.

    Attributes:
      arrays: clip uint8 [N, S, S, 3], density and fixations uint8 [N, S, S], split over the devices by frame.
    """

    arrays: dict[str, jax.Array]

    def __init__(self, source: FrameSource, num_frames: Mapping[int, int], devices: DataParallel):
        """Reads films, each host the frames of its own devices.

        Args:
          source: where to read them from.
          num_frames: film -> its number of frames.
          devices: the devices that train.

        Raises:
          UserError: the frames do not fit into the devices' memory, or cannot be read.
        """
        self._source, self._devices = source, devices
        self._films = list(num_frames)
        self._begins = np.cumsum([0, *num_frames.values()])  # of each film's frames, and the end
        self._first_row = np.zeros(max(num_frames) + 1, np.int64)
        self._first_row[self._films] = self._begins[:-1]
        rows, size = -(-int(self._begins[-1]) // devices.num_devices) * devices.num_devices, source.size
        width = -(-size // TPU_LANES) * TPU_LANES if _is_tpu(devices) else size
        self._check_memory(rows * size * width * 5)
        shapes = {"clip": (rows, size, size, 3), "density": (rows, size, size), "fixations": (rows, size, size)}
        with out_of_memory_as_user_error(FLAG, ADVICE):
            parts = self._read_parts(rows // devices.num_devices)
        self.arrays = {
            name: jax.make_array_from_single_device_arrays(shape, devices.split, [part[name] for part in parts])
            for name, shape in shapes.items()
        }

    def rows(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns a batch without pixels with "rows" [B, 16] and "target_rows" [B] of the arrays, not its "frames"."""
        first = self._first_row[batch["film"]] - 1
        rows = {"rows": first[:, None] + batch["frames"], "target_rows": first + batch["target_frame"]}
        others = {name: array for name, array in batch.items() if name != "frames"}
        return others | {name: array.astype(np.int32) for name, array in rows.items()}

    def gather(self, arrays: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Returns the batch with its pixels, as `data_pipelines.clips.batches` reads it. Call it within jit.

        Args:
          arrays: `self.arrays`, as arguments of the compiled function.
          batch: from `rows`, split over the devices.
        """
        split = PartitionSpec("data")
        gather = jax.shard_map(_gather, mesh=self._devices.mesh, in_specs=(split, split), out_specs=split)
        places = {"clip": "rows", "density": "target_rows", "fixations": "target_rows"}
        pixels = {name: gather(arrays[name], batch[place]) for name, place in places.items()}
        return {name: array for name, array in batch.items() if not name.endswith("rows")} | pixels

    def _read_parts(self, num_rows: int) -> list[dict[str, jax.Array]]:
        """Returns the arrays of each of this host's devices, read one after the other."""
        mesh_devices = list(self._devices.mesh.devices.flat)
        size, parts = self._source.size, []
        for number, device in enumerate(mesh_devices):
            if device.process_index != jax.process_index():
                continue
            part = {
                "clip": np.zeros((num_rows, size, size, 3), np.uint8),
                "density": np.zeros((num_rows, size, size), np.uint8),
                "fixations": np.zeros((num_rows, size, size), np.uint8),
            }
            self._fill(part, number * num_rows)
            places = {
                name: Format(Layout(order), SingleDeviceSharding(device)) if _is_tpu(self._devices) else device
                for name, order in TPU_ORDER.items()
            }
            parts.append(jax.block_until_ready(jax.device_put(part, places)))  # so that one share at a time is here
        return parts

    def _fill(self, part: Mapping[str, np.ndarray], begin: int) -> None:
        """Fills a device's share, which begins at a row of the whole arrays."""
        end = begin + len(part["clip"])
        for number, film in enumerate(self._films):
            first = max(begin, int(self._begins[number]))
            last = min(end, int(self._begins[number + 1]))
            if first >= last:
                continue
            frames = range(first - int(self._begins[number]) + 1, last - int(self._begins[number]) + 1)
            self._source.copy_images(film, frames, part["clip"][first - begin : last - begin])
            for row, frame in zip(range(first - begin, last - begin), frames, strict=True):
                self._source.copy_maps(film, frame, part["density"][row], part["fixations"][row])

    def _check_memory(self, num_bytes: int) -> None:
        free = _free_bytes(self._devices)
        if free is not None and num_bytes > free:
            raise UserError(
                f"{FLAG}: the films need {num_bytes / 1e9:.1f} GB, and the {self._devices.num_devices} devices have "
                f"{free / 1e9:.1f} GB. {ADVICE}"
            )


def _gather(share: jax.Array, rows: jax.Array) -> jax.Array:
    """Runs on each device: takes its share [n, ...] of all frames and its rows [b, ...]; returns [b, ..., ...].

    Every device looks up the rows of all devices in its share. The sum of what they find, which is 0 for the rows of
    other shares, is scattered.
    """
    rows = jax.lax.all_gather(rows, "data", tiled=True) - jax.lax.axis_index("data") * len(share)
    is_here = ((rows >= 0) & (rows < len(share))).reshape(*rows.shape, *[1] * (share.ndim - 1))
    found = jnp.where(is_here, share[jnp.clip(rows, 0, len(share) - 1)], jnp.zeros((), share.dtype))
    return jax.lax.psum_scatter(found, "data", tiled=True)


def _is_tpu(devices: DataParallel) -> bool:
    return devices.mesh.devices.flat[0].platform == "tpu"


def _free_bytes(devices: DataParallel) -> int | None:
    """Returns the free memory of all devices together, of a CPU all its memory; None where the system does not say."""
    local = [device for device in devices.mesh.devices.flat if device.process_index == jax.process_index()]
    if local[0].platform == "cpu":
        if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
            return None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    stats = [device.memory_stats() for device in local]
    if not all(stats):
        return None
    free = min(stat["bytes_limit"] - stat["bytes_in_use"] for stat in stats if stat)
    return free * devices.num_devices
