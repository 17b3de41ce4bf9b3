"""Predicts the clips of a database on all devices of this host. The next batch is computed while one is fetched."""

import math
from collections.abc import Iterable, Iterator, Sequence

import jax
import numpy as np
from jax.sharding import PartitionSpec

from stavis_jax.ops.compiler_options import compiler_options
from stavis_jax.prediction import programs
from stavis_jax.prediction.model import ACCELERATOR_BATCH, StavisModel
from stavis_jax.training.batches.network_inputs import HostBatch, network_inputs
from stavis_jax.training.devices import DataParallel

CPU_BATCH = 8  # clips


def clips_per_batch(setting: int) -> int:
    """Returns --config.evaluation.batch_size. If it is 0, returns 8 on a CPU and 32 per GPU or TPU."""
    if setting:
        return setting
    return CPU_BATCH if jax.default_backend() == "cpu" else ACCELERATOR_BATCH * jax.local_device_count()


def predict_batches(
    model: StavisModel, batches: Iterable[HostBatch], devices: Sequence[jax.Device] | None = None
) -> Iterator[tuple[HostBatch, np.ndarray]]:
    """Yields each batch with its saliency maps, float32 [B, S, S] in [0, 1].

    Each device predicts an equal share of a batch, as it would alone. A batch is sent before the maps of the previous
    one are fetched, so no device waits for the host.

    Args:
      model: the network.
      batches: all of one size, with the keys clip and waveform; see `data_pipelines.clips.batches`.
      devices: by default all of this host that a batch splits over evenly.
    """
    predict, running = None, None
    for batch in batches:
        if predict is None:
            predict = _Predictor(model, _devices(len(batch["clip"]), devices))
        saliency = predict(batch)
        if running is not None:
            yield running[0], np.asarray(running[1])
        running = batch, saliency
    if running is not None:
        yield running[0], np.asarray(running[1])


def _devices(batch_size: int, devices: Sequence[jax.Device] | None) -> list[jax.Device]:
    devices = jax.local_devices() if devices is None else devices
    return list(devices[: math.gcd(batch_size, len(devices))])


class _Predictor:
    """Starts the prediction of a batch, and returns the maps before they are computed."""

    def __init__(self, model: StavisModel, devices: list[jax.Device]):
        self._devices = DataParallel(devices)
        self._names = ("clip", "waveform") if model.uses_sound else ("clip",)
        self._weights = self._devices.replicate(model.device_weights)

        def saliency(weights: dict[str, jax.Array], batch: dict[str, jax.Array]) -> jax.Array:
            inputs = network_inputs(batch)
            logits = programs.logits.inline(
                model.config, model.form, weights, inputs["clip"], inputs.get("waveform"), dtype=model.dtype
            )
            return jax.nn.sigmoid(logits)

        whole, split = PartitionSpec(), PartitionSpec("data")
        self._saliency = jax.jit(
            jax.shard_map(  # every device runs the program of one; nothing crosses between them
                saliency, mesh=self._devices.mesh, in_specs=(whole, split), out_specs=split, check_vma=False
            ),
            compiler_options=compiler_options(),
        )

    def __call__(self, batch: HostBatch) -> jax.Array:
        inputs = self._devices.split_batch({name: batch[name] for name in self._names})
        return self._saliency(self._weights, inputs)
