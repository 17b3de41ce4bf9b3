"""Lowers the programs that prediction and training run, from shapes alone. Nothing is computed."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.compile_ahead.plan import Job
from benchmarks.training_stage import STEPS_PER_EPOCH, stage_settings
from data_pipelines.inputs.windows import CLIP_FRAMES, WAVEFORM_SAMPLES
from stavis_jax.models import fusion, shared_stem
from stavis_jax.models.resnet3d import STEM_CHANNELS
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.prediction import programs
from stavis_jax.training import loop, step
from stavis_jax.training.compute import Compute
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.first_state import first_state
from stavis_jax.training.state_layout import state_formats
from stavis_jax.weights.flat_names import expected_shapes


def lowered(job: Job, devices: Sequence[Any], platform: str) -> jax.stages.Lowered:
    """Lowers a job's program.

    Args:
      job: which program.
      devices: real devices, or those of `chips.devices`.
      platform: whose form the network takes, "cpu", "gpu" or "tpu".
    """
    parallel = DataParallel(list(devices))
    if job.program == "train":
        return _training_step(job, parallel, platform)
    return _prediction(job, parallel, platform)


def _prediction(job: Job, devices: DataParallel, platform: str) -> jax.stages.Lowered:
    form = BackendForm.for_platform(platform, scoring=True, dtype=job.dtype)
    config, clips = NetworkConfig(job.variant, job.depth), job.clips * job.chips
    weights = {name: _array(shape, devices.everywhere) for name, shape in expected_shapes(config).items()}
    uses_sound = fusion.VARIANTS[job.variant].uses_sound
    waveform = _array((clips, WAVEFORM_SAMPLES), devices.split) if uses_sound else None
    if job.program == "score":
        clip = _array((clips, CLIP_FRAMES, job.size, job.size, 3), devices.split)
        return programs.logits.compiled(platform).lower(config, form, weights, clip, waveform, dtype=job.dtype)
    side = -(-job.size // 2)  # the stem's stride is 2
    products_shape = CLIP_FRAMES - 1, side, side, shared_stem.TAPS * STEM_CHANNELS
    products = _array(products_shape, devices.everywhere, job.dtype)
    frames = _array((clips, job.size, job.size, 3), devices.split, jnp.uint8)
    return programs.predict_next_clips.compiled(platform).lower(
        config, form, weights, products, frames, waveform, dtype=job.dtype, stride=1
    )


def _training_step(job: Job, devices: DataParallel, platform: str) -> jax.stages.Lowered:
    clips = job.clips * job.chips
    settings = stage_settings(job.variant, clips, job.accumulate)
    found = []

    def state_from_shapes() -> Any:
        network = Stavis(
            NetworkConfig(job.variant, job.depth), rngs=nnx.Rngs(0), form=BackendForm.for_platform(platform)
        )
        Compute(job.dtype, job.batch_norm, job.rematerialize).configure(network, devices.num_devices)
        constants, state = first_state(network, settings, STEPS_PER_EPOCH)
        found.append(constants)
        return state

    shapes = jax.eval_shape(state_from_shapes)
    formats = state_formats(shapes, devices, platform)
    state = jax.tree.map(lambda leaf, format: _array(leaf.shape, format, leaf.dtype), shapes, formats)
    pixels = jnp.uint8
    batch = {
        "clip": _array((clips, CLIP_FRAMES, job.size, job.size, 3), devices.split, pixels),
        "waveform": _array((clips, WAVEFORM_SAMPLES), devices.split),
        "density": _array((clips, job.size, job.size), devices.split, pixels),
        "fixations": _array((clips, job.size, job.size), devices.split, pixels),
        "mirrored": _array((clips,), devices.split, jnp.bool_),
        "weight": _array((clips,), devices.split),
    }
    with jax.default_matmul_precision(loop.PRECISION):
        train_step = step.compiled_train_step(found[0], devices, shapes, platform=platform)
        return train_step.lower(state, {}, batch, _array((), devices.everywhere))


def _array(shape: Sequence[int], sharding: Any, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype), sharding=sharding)
