"""Measures dense prediction: a saliency map for every frame of a film in memory."""

import contextlib
import gc
import time

import jax.numpy as jnp

from benchmarks import inputs
from benchmarks.accelerator import subjects
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_network import FORM, config_of
from benchmarks.accelerator.rewrites import Place, replaced
from benchmarks.accelerator.subjects import Setting
from stavis_jax.prediction import clip_streams, programs
from stavis_jax.prediction.api import predict_frames
from stavis_jax.prediction.model import StavisModel
from stavis_jax.weights.flat_names import network_from


def dense(tell, *, setting: Setting, frames: int, shared_stem: bool = True) -> None:
    """Reports maps a second when the film is predicted the second time. The first time also compiles.

    With `shared_stem`, the network computes the stem of each frame once for all the clips that hold the frame.
    """
    model = StavisModel(config_of(setting), subjects.weights(setting.depth), setting.size, form=FORM)
    film, sound = inputs.film(frames, setting.size)
    rates = inputs.SAMPLE_RATE_HZ, inputs.FRAME_RATE_HZ
    seconds = []
    with _trunk_in(setting.stored), contextlib.nullcontext() if shared_stem else _without_shared_stem():
        for _ in range(2):
            begin = time.perf_counter()
            predict_frames(film, sound, *rates, model, batch_size=setting.clips)
            seconds.append(time.perf_counter() - begin)
    name = f"dense prediction, {setting.name}, {'shared stem' if shared_stem else 'clip by clip'}"
    tell(figure(name, frames / seconds[1], "maps/s", frames=frames, first_run_s=seconds[0]))
    gc.collect()


def _trunk_in(dtype: str) -> contextlib.AbstractContextManager[None]:
    """Makes the programs of prediction compute the trunk in `dtype`. The library always predicts in float32."""

    def network_in_dtype(*arguments):
        network = network_from(*arguments)
        network.trunk.dtype = jnp.dtype(dtype)
        return network

    return replaced(Place(programs, "network_from", network_in_dtype))


def _without_shared_stem() -> contextlib.AbstractContextManager[None]:
    return replaced(Place(clip_streams, "LARGEST_SHARED_STRIDE", 0))
