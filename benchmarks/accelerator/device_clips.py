"""Measures a prototype of training with 8-bit films on the device, where the step cuts out its own clips."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_training import TrainingStep
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from benchmarks.inputs import CLIP_FRAMES, WAVEFORM_SAMPLES
from data_pipelines.inputs.windows import MEAN_RGB
from stavis_jax.training import step

BANK_FRAMES, BANK_SOUNDS = 2048, 64
FRAMES_BEFORE = 7  # frames of a clip before the frame whose map it predicts


def training_on_device_clips(tell, *, setting: Setting) -> None:
    """Reports clips a second of training steps that cut out clips of random frames on the device."""
    clips, size, rng = setting.clips, setting.size, np.random.default_rng(0)
    work = TrainingStep(setting)
    bank = {
        "frames": rng.integers(0, 256, (BANK_FRAMES, size, size, 3), np.uint8),
        "density": rng.integers(0, 256, (BANK_FRAMES, size, size), np.uint8),
        "fixations": rng.integers(0, 2, (BANK_FRAMES, size, size), np.uint8),
        "sounds": rng.standard_normal((BANK_SOUNDS, WAVEFORM_SAMPLES), np.float32),
    }
    bank = jax.device_put(bank, work.devices.everywhere)

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state, bank, first, flipped, side_weight):
        return step.train_step(work.job, state, cut_out(bank, first, flipped), side_weight)

    first = rng.integers(0, BANK_FRAMES - CLIP_FRAMES, clips).astype(np.int32)
    arguments = jax.device_put((bank, first, first % 2 == 0, work.side_weight), work.devices.everywhere)
    begin = time.perf_counter()
    with jax.default_matmul_precision(setting.precision):
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


def cut_out(bank: dict[str, jax.Array], first: jax.Array, flipped: jax.Array) -> dict[str, jax.Array]:
    """Returns a training batch of B clips.

    Args:
      bank: frames uint8 [N, S, S, 3], density and fixations uint8 [N, S, S], sounds float32 [M, num_samples].
      first: [B], number of each clip's first frame in the bank.
      flipped: [B], whether a clip is flipped left to right.
    """

    def flip(pixels: jax.Array, width_axis: int) -> jax.Array:
        where = flipped.reshape(-1, *[1] * (pixels.ndim - 1))
        return jnp.where(where, jnp.flip(pixels, width_axis), pixels)

    target = first + FRAMES_BEFORE
    clip = flip(bank["frames"][first[:, None] + jnp.arange(CLIP_FRAMES)[None]], 3)
    return {
        "clip": clip.astype(jnp.float32) - jnp.asarray(MEAN_RGB, jnp.float32).reshape(1, 1, 1, 1, 3),
        "waveform": bank["sounds"][first % len(bank["sounds"])],
        "density": flip(bank["density"][target], 2).astype(jnp.float32),
        "fixations": flip(bank["fixations"][target], 2).astype(jnp.float32),
        "weight": jnp.ones(len(first), jnp.float32),
    }
