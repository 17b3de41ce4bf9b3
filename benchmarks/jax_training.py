"""Our side of the training step: a job, for contestant.py. torch_jobs.py has the other side."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import inputs
from benchmarks.jax_jobs import device, load_network
from stavis_jax.experiments import recipes
from stavis_jax.training import optimizer, step
from stavis_jax.training.devices import DataParallel

__all__ = ["device", "training"]


def training(
    weights: str, batch: int, size: int, dtype: str = "float32", num_devices: int = 1
) -> Callable[[], np.ndarray]:
    """Loss, gradients and update, as training/loop.py runs them; the loss is returned."""
    recipe = recipes.config("l3mul-s3", "paper").stages.audiovisual
    make_optimizer = functools.partial(
        optimizer.sgd,
        recipe.learning_rate,
        momentum=recipe.momentum,
        dampening=recipe.dampening,
        weight_decay=recipe.weight_decay,
    )
    devices = DataParallel(jax.devices()[:num_devices])
    network = load_network(weights, dtype)
    task, state = step.create(network, make_optimizer, recipe.group_rates.to_dict(), effective_batch=batch)
    state = devices.replicate(state)
    train_step = jax.jit(functools.partial(step.train_step, task), donate_argnums=0, out_shardings=devices.everywhere)
    clip, waveform = inputs.clips(batch, size)
    density, fixations = inputs.maps(batch, size)
    weight = np.ones(batch, np.float32)
    examples = devices.split_batch(
        {"clip": clip, "waveform": waveform, "density": density, "fixations": fixations, "weight": weight}
    )

    def job() -> np.ndarray:
        nonlocal state
        with jax.default_matmul_precision("highest"):
            state, values = train_step(state, examples, jnp.float32(0))
        return np.asarray(values["loss"])

    return job
