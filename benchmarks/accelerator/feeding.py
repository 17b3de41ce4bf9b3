"""From shards to the device: clips a second with more or fewer processes that read, and how long a step waits."""

import contextlib
import functools
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from benchmarks.films import _repeat_lists as repeat_lists
from data_pipelines.clips.batches import training_batches
from data_pipelines.inputs.windows import MEAN_RGB
from data_pipelines.shards.raw_to_shards import prepare
from data_pipelines.synthetic.database import synthesize
from stavis_jax.training import step
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.loop import ON_DEVICE

FRAMES = 90  # of a film: two windows, none short
BANK_FRAMES, BANK_SOUNDS = 2048, 64


def shards(tell, *, folder: str, films: int, size: int) -> None:
    """Synthetic films and their shards, in the new folders FOLDER/raw and FOLDER/shards."""
    begin = time.perf_counter()
    raw, prepared = Path(folder) / "raw", Path(folder) / "shards"
    synthesize(raw, num_train_films=films - 1, num_test_films=1, num_frames=FRAMES)
    prepare(raw, prepared, size=size, annotations=False)
    repeat_lists(prepared)
    tell(figure("frames synthesised and prepared", films * FRAMES / (time.perf_counter() - begin), "frames/s"))


def reading(tell, *, setting: Setting, folder: str, workers: int) -> None:
    """Clips a second from shards to the device, nothing else at work."""
    devices = DataParallel(jax.devices()[:1])
    with _batches(setting, folder, workers) as batches:
        jax.block_until_ready(_next(devices, batches))  # processes start, the first batches are read
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < setting.seconds:
            jax.block_until_ready(_next(devices, batches))
            count += setting.clips
        took = time.perf_counter() - begin
    tell(figure(f"shards to device, {workers} processes", count / took, "clips/s"))


def training(tell, *, setting: Setting, folder: str, workers: Sequence[int]) -> None:
    """Training as the loop runs it, each loss looked at one step late; tells the share of time that steps wait.

    Then the same step on clips that are on the device already, as they are and cut there out of 8-bit frames.
    """
    from benchmarks.accelerator.jax_training import TrainingStep

    clips = setting.clips
    work = TrainingStep(setting)
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
    on_device(tell, work, setting)


def on_device(tell, work, setting: Setting) -> None:
    """A prototype: 8-bit frames and maps lie on the device, and the step cuts its clips out by number."""
    clips, size, draw = setting.clips, setting.size, np.random.default_rng(0).integers
    bank = {
        "frames": draw(0, 256, (BANK_FRAMES, size, size, 3), np.uint8),
        "density": draw(0, 256, (BANK_FRAMES, size, size), np.uint8),
        "fixations": draw(0, 2, (BANK_FRAMES, size, size), np.uint8),
        "sounds": np.random.default_rng(0).standard_normal((BANK_SOUNDS, 35_280), np.float32),
    }
    bank = jax.device_put(bank, work.devices.everywhere)

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state, bank, first, mirrored, side_weight):
        return step.train_step(work.job, state, cut_out(bank, first, mirrored), side_weight)

    first = draw(0, BANK_FRAMES - 16, clips).astype(np.int32)
    arguments = jax.device_put((bank, first, first % 2 == 0, work.side_weight), work.devices.everywhere)
    begin = time.perf_counter()
    with jax.default_matmul_precision("highest"):
        compiled = train_step.lower(work.state, *arguments).compile()
    compile_seconds = time.perf_counter() - begin
    state = work.state

    def call():
        nonlocal state
        state, values = compiled(state, *arguments)
        return values

    took = seconds_of(call, jax.block_until_ready, setting.seconds / 2)
    detail = {"ms": 1e3 * took.median, "compile_s": compile_seconds}
    tell(figure("training, clips cut out on the device", clips / took.median, "clips/s", **detail))


def cut_out(bank: dict[str, jax.Array], first: jax.Array, mirrored: jax.Array) -> dict[str, jax.Array]:
    """A training batch of clips that begin at frames `first` [B] of the bank, mirrored where `mirrored` [B] says so."""

    def turned(pixels: jax.Array, width_axis: int) -> jax.Array:
        where = mirrored.reshape(-1, *[1] * (pixels.ndim - 1))
        return jnp.where(where, jnp.flip(pixels, width_axis), pixels)

    target = first + 7
    clip = turned(bank["frames"][first[:, None] + jnp.arange(16)[None]], 3)
    return {
        "clip": clip.astype(jnp.float32) - jnp.asarray(MEAN_RGB, jnp.float32).reshape(1, 1, 1, 1, 3),
        "waveform": bank["sounds"][first % len(bank["sounds"])],
        "density": turned(bank["density"][target], 2).astype(jnp.float32),
        "fixations": turned(bank["fixations"][target], 2).astype(jnp.float32),
        "weight": jnp.ones(len(first), jnp.float32),
    }


def _batches(setting: Setting, folder: str, workers: int):
    batches = training_batches(Path(folder) / "shards", split=1, batch_size=setting.clips, seed=0, num_workers=workers)
    return contextlib.closing(batches)


def _next(devices: DataParallel, batches) -> dict[str, jax.Array]:
    batch = next(batches)
    return devices.split_batch({name: batch[name] for name in ON_DEVICE})
