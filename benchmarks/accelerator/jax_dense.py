"""Measures dense prediction: a saliency map for every frame of a film in memory."""

import gc
import statistics
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

ROUNDS = 3


def dense(tell, *, setting: Setting, frames: int, shared_stem: bool = True) -> None:
    """Reports maps a second: the median of three times that the film is predicted, after a first one that compiles.

    The film must hold many batches, because nothing overlaps with the preparation of the first and the end of the last.
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
        for _ in range(1 + ROUNDS):
            begin = time.perf_counter()
            predict_frames(film, sound, *rates, model, batch_size=setting.clips)
            seconds.append(time.perf_counter() - begin)
    name = f"dense prediction, {setting.name}, {'shared stem' if shared_stem else 'clip by clip'}"
    first, *rounds = seconds
    median = statistics.median(rounds)
    spread = (max(rounds) - min(rounds)) / median
    tell(figure(name, frames / median, "maps/s", spread=spread, frames=frames, first_run_s=first))
    gc.collect()
