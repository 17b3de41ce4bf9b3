"""Measures the input pipeline from shards to the device, by number of reading processes, and how long steps wait."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import jax

from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_training import TrainingStep
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from benchmarks.shard_lists import repeat_lists
from data_pipelines.clips.batches import training_batches
from data_pipelines.shards.raw_to_shards import prepare
from data_pipelines.synthetic.database import synthesize
from stavis_jax.training.batches.network_inputs import HOST_KEYS
from stavis_jax.training.devices import DataParallel

FRAMES = 90  # frames of a film, which make two windows of full length


def shards(tell, *, folder: str, films: int, size: int) -> None:
    """Writes synthetic films and their shards into the new folders FOLDER/raw and FOLDER/shards."""
    begin = time.perf_counter()
    raw, prepared = Path(folder) / "raw", Path(folder) / "shards"
    synthesize(raw, num_train_films=films - 1, num_test_films=1, num_frames=FRAMES)
    prepare(raw, prepared, size=size, annotations=False)
    repeat_lists(prepared)
    tell(figure("frames synthesised and prepared", films * FRAMES / (time.perf_counter() - begin), "frames/s"))


def reading(tell, *, setting: Setting, folder: str, workers: int) -> None:
    """Reports clips a second from shards to the device while nothing else runs."""
    devices = DataParallel(jax.devices()[:1])
    with _batches(setting, folder, workers) as batches:
        jax.block_until_ready(_next(devices, batches))  # starts the processes and reads the first batches
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < setting.seconds:
            jax.block_until_ready(_next(devices, batches))
            count += setting.clips
        took = time.perf_counter() - begin
    tell(figure(f"shards to device, {workers} processes", count / took, "clips/s"))


def training_from_shards(tell, *, setting: Setting, folder: str, workers: Sequence[int]) -> None:
    """Reports clips a second of training, and the share of the time that steps wait for the next batch.

    As in the training loop, the loss of a step is read after the next step has started. The speed with the same batch
    in every step is reported first, for comparison.
    """
    clips = setting.clips
    with _batches(setting, folder, 0) as batches:
        work = TrainingStep(setting, next(batches))
    took = seconds_of(work, jax.block_until_ready, setting.seconds / 2)
    tell(figure("training, one batch again and again", clips / took.median, "clips/s", ms=1e3 * took.median))
    for number in workers:
        with _batches(setting, folder, number) as batches:
            values = work(_next(work.devices, batches))
            begin, waited, count = time.perf_counter(), 0.0, 0
            while time.perf_counter() - begin < setting.seconds:
                before = time.perf_counter()
                batch = _next(work.devices, batches)
                waited += time.perf_counter() - before
                values, ready = work(batch), values
                jax.device_get(ready)
                count += clips
            jax.block_until_ready(values)
            total = time.perf_counter() - begin
        tell(figure(f"training from shards, {number} processes", count / total, "clips/s", waits=waited / total))


def _batches(setting: Setting, folder: str, workers: int):
    batches = training_batches(Path(folder) / "shards", split=1, batch_size=setting.clips, seed=0, num_workers=workers)
    return contextlib.closing(batches)


def _next(devices: DataParallel, batches) -> dict[str, jax.Array]:
    """Reads the next batch and starts its copy to the device."""
    batch = next(batches)
    return devices.split_batch({name: batch[name] for name in batch if name not in HOST_KEYS})
