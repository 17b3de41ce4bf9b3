"""Turns the batches that the host sends, with 8-bit pixels, into the network's inputs. Runs on the device."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.inputs.windows import MEAN_RGB, WAVEFORM_SAMPLES
from stavis_jax.training.batches.augmentation import cropped, recoloured

HostBatch = Mapping[str, np.ndarray]
"""A batch as `data_pipelines.clips.batches` reads it, with 8-bit pixels."""
DeviceBatch = Mapping[str, jax.Array]
"""A batch on the devices: as read, with 8-bit pixels, or clip [B, 16, S, S, 3], waveform [B, N], density [B, S, S] in
0..255, fixations [B, S, S] of 0/1, weight [B]. See `network_inputs`."""

WIDTH_AXES = {"clip": 3, "density": 2, "fixations": 2}

HOST_KEYS = ("film", "clip_index", "target_frame")  # say which clips a batch holds; the other keys go to the devices


def network_inputs(batch: DeviceBatch) -> DeviceBatch:
    """Subtracts the mean, mirrors clip and maps, and completes the waveform. Bit-exact on every backend.

    Where the recipe augments, crops and recolours too, within float32 rounding.

    Args:
      batch: as `data_pipelines.clips.batches` reads it; keys other than "clip" may be left out. A batch whose clip is
        floating-point is returned as it is.

    Returns:
      clip float32 [B, 16, S, S, 3], RGB in [0, 255] minus the ActivityNet mean; waveform float32 [B, 35280]; density
      [B, S, S], 0 to 255, and fixations [B, S, S], 0 or 1, both float32; other keys as they are.

    Raises:
      ValueError: the clip is floating-point and the batch has the key "mirrored", which would have no effect.
    """
    if batch["clip"].dtype != jnp.uint8:
        if "mirrored" in batch:
            raise ValueError(f"clip: {batch['clip'].dtype} with mirrored, expected uint8.")
        return batch
    inputs = {name: array for name, array in batch.items() if name != "mirrored"}
    for name, width_axis in WIDTH_AXES.items():
        if name in batch:
            pixels = _mirror(batch[name], batch["mirrored"], width_axis) if "mirrored" in batch else batch[name]
            inputs[name] = pixels.astype(jnp.float32)
    if "crop" in batch:
        inputs = cropped(inputs, inputs.pop("crop"))
        inputs["clip"] = recoloured(inputs["clip"], inputs.pop("colour"))
    inputs["clip"] = inputs["clip"] - jnp.asarray(MEAN_RGB, jnp.float32).reshape(1, 1, 1, 1, 3)
    if "waveform" in batch:
        side = (WAVEFORM_SAMPLES - batch["waveform"].shape[1]) // 2
        inputs["waveform"] = jnp.pad(batch["waveform"], ((0, 0), (side, side)))
    return inputs


def _mirror(pixels: jax.Array, mirrored: jax.Array, width_axis: int) -> jax.Array:
    """Mirrors left to right where `mirrored`, bool [B], says so."""
    where = mirrored.reshape(-1, *[1] * (pixels.ndim - 1))
    return jnp.where(where, jnp.flip(pixels, width_axis), pixels)
