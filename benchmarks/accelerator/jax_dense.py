"""Measures dense prediction: a saliency map for every frame of a film in memory."""

import gc
import time
from unittest import mock

from benchmarks import inputs
from benchmarks.accelerator import subjects
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_network import config_of, form_of
from benchmarks.accelerator.subjects import Setting
from stavis_jax.prediction import clip_streams
from stavis_jax.prediction.api import predict_frames
from stavis_jax.prediction.model import StavisModel


def dense(tell, *, setting: Setting, frames: int, shared_stem: bool = True) -> None:
    """Reports maps a second when the film is predicted the second time. The first time also compiles.

    With `shared_stem`, the network computes the stem of each frame once for all the clips that hold the frame.
    """
    weights = subjects.weights(setting.depth)
    form = form_of(setting, scoring=True)
    model = StavisModel(config_of(setting), weights, setting.size, form=form, dtype=setting.stored)
    film, sound = inputs.film(frames, setting.size)
    rates = inputs.SAMPLE_RATE_HZ, inputs.FRAME_RATE_HZ
    seconds = []
    largest_stride = clip_streams.LARGEST_SHARED_STRIDE if shared_stem else 0
    with mock.patch.object(clip_streams, "LARGEST_SHARED_STRIDE", largest_stride):
        for _ in range(2):
            begin = time.perf_counter()
            predict_frames(film, sound, *rates, model, batch_size=setting.clips)
            seconds.append(time.perf_counter() - begin)
    name = f"dense prediction, {setting.name}, {'shared stem' if shared_stem else 'clip by clip'}"
    tell(figure(name, frames / seconds[1], "maps/s", frames=frames, first_run_s=seconds[0]))
    gc.collect()
