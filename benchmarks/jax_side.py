"""Shared by the workers of our side: process settings, and the model with its weights.

Imports no more than a user's program that predicts, because start-up and memory are measured with it.
"""

import os
from pathlib import Path

import stavis_jax
from benchmarks.plan import KEEP_BIG_BUFFERS
from stavis_jax.cli.process import enable_compilation_cache, keep_big_buffers
from stavis_jax.prediction.memory_use import OF_COMMANDS

BATCH_SIZE = 4  # of prediction

enable_compilation_cache()  # as the commands do
if os.environ.get(KEEP_BIG_BUFFERS):
    keep_big_buffers()


def load_model(weights: str, size: int) -> stavis_jax.StavisModel:
    """Returns the model as `stavis_jax.load` gives it, or as commands do, for clips of `size` pixels."""
    model = stavis_jax.load(Path(weights) / "converted")
    if os.environ.get(KEEP_BIG_BUFFERS):
        model.memory_use = OF_COMMANDS["normal"]
    model.size = size
    return model
