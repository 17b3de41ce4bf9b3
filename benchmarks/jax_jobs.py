"""Our side of what scores: functions that make a job, for contestant.py. torch_jobs.py is the other side.

Imports no more than a user's program that predicts: start-up and memory are measured with it.
"""

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import stavis_jax
from benchmarks import inputs
from benchmarks.machine import KEEP_BIG_BUFFERS, cores
from stavis_jax.cli import compilation_cache
from stavis_jax.cli.malloc import keep_big_buffers
from stavis_jax.models.stavis import Stavis
from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.write import write_predictions
from stavis_jax.prediction.api import predict_frames
from stavis_jax.training.compute import Compute
from stavis_jax.weights.flat_names import expected_shapes, network_from
from stavis_jax.weights.loading import load_weights

BATCH_SIZE = 4  # of prediction

compilation_cache.enable()  # as the commands do

if os.environ.get(KEEP_BIG_BUFFERS):
    keep_big_buffers()


def device() -> dict[str, str]:
    return {
        "platform": jax.default_backend(),
        "kind": jax.devices()[0].device_kind,
        "threads": str(cores()),
    }


def idle() -> Callable[[], None]:
    """Nothing: to ask what device there is."""
    return lambda: None


def forward(weights: str, batch: int, size: int, dtype: str = "float32") -> Callable[[], np.ndarray]:
    """Logits of a batch of clips."""
    score = _scorer(weights, dtype)
    clip, waveform = map(jnp.asarray, inputs.clips(batch, size))
    return lambda: np.asarray(score(clip, waveform))


def dense(weights: str, num_frames: int, size: int) -> Callable[[], Any]:
    """A map for every frame of a film that is in memory."""
    model, (frames, sound) = _model(weights, size), inputs.film(num_frames, size)
    rates = inputs.SAMPLE_RATE_HZ, inputs.FRAME_RATE_HZ
    return lambda: predict_frames(frames, sound, *rates, model, batch_size=BATCH_SIZE)


def first_map(weights: str, size: int) -> Callable[[], Any]:
    """The first maps of a film, a batch of them."""
    return dense(weights, BATCH_SIZE, size)


def film(weights: str, frames: str, sound: str, path: str, size: int) -> Callable[[], None]:
    """A film file to maps on disk, of the network's size; its extracted `frames`, `sound` are for the other side."""
    model = _model(weights, size)
    options = PredictionOptions(("maps",), OutputOptions(map_size="network"), BATCH_SIZE)

    def job() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_predictions(path, Path(folder) / "film", model, options)

    return job


def _model(weights: str, size: int) -> stavis_jax.SaliencyModel:
    model = stavis_jax.load(Path(weights) / "converted")
    model.size = size
    return model


def load_network(weights: str, dtype: str = "float32") -> Stavis:
    """The network with its weights, its trunk computing in `dtype`."""
    arrays, info = load_weights(Path(weights) / "converted")
    config = info.network_config()
    network = network_from(config, {name: jnp.asarray(arrays[name]) for name in expected_shapes(config)})
    Compute(dtype).configure(network, 1)
    return network


def _scorer(weights: str, dtype: str) -> Callable[[jax.Array, jax.Array], jax.Array]:
    if dtype == "float32":
        return stavis_jax.load(Path(weights) / "converted").saliency_logits
    graphdef, state = nnx.split(load_network(weights, dtype))

    @jax.jit
    def score(state: nnx.State, clip: jax.Array, waveform: jax.Array) -> jax.Array:
        with jax.default_matmul_precision("highest"):
            return nnx.merge(graphdef, state)(clip, waveform).logits

    return functools.partial(score, state)
