"""Training step: loss, gradients and update."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import inputs, report
from benchmarks.session import Session


def theirs(weights: str, batch: int, size: int) -> Callable[[], np.ndarray]:
    import torch

    from benchmarks import torch_side
    from benchmarks.reference import training

    network, (clip, waveform) = torch_side.load(weights).train(), torch_side.clips(batch, size)
    density, fixations = (torch.from_numpy(array) for array in inputs.maps(batch, size))
    optimizer = training.sgd(network)

    return lambda: training.training_step(network, optimizer, clip, waveform, density, fixations).numpy()


def ours(weights: str, batch: int, size: int, num_devices: int = 1) -> Callable[[], np.ndarray]:
    """Returns the step as training/loop.py runs it, on a batch that is split over `num_devices`."""
    import jax
    import jax.numpy as jnp

    from benchmarks import jax_side  # noqa: F401, settings of the process
    from benchmarks.training_stage import STEPS_PER_EPOCH, stage_settings
    from stavis_jax.training import loop, step
    from stavis_jax.training.compute import Compute
    from stavis_jax.training.devices import DataParallel
    from stavis_jax.training.first_state import first_state
    from stavis_jax.training.state_layout import place_state
    from stavis_jax.weights.flat_names import expected_shapes, network_from
    from stavis_jax.weights.loading import load_weights

    devices = DataParallel(jax.devices()[:num_devices])
    arrays, info = load_weights(Path(weights) / "converted")
    config = info.network_config()
    network = network_from(config, {name: jnp.asarray(arrays[name]) for name in expected_shapes(config)})
    Compute("float32").configure(network, devices.num_devices)
    constants, state = first_state(network, stage_settings(config.variant, batch), STEPS_PER_EPOCH)
    state = place_state(state, devices)
    train_step = step.compiled_train_step(constants, devices, state)
    clip, waveform = inputs.clips(batch, size)
    density, fixations = inputs.maps(batch, size)
    weight = np.ones(batch, np.float32)
    examples = devices.split_batch(
        {"clip": clip, "waveform": waveform, "density": density, "fixations": fixations, "weight": weight}
    )

    def job() -> np.ndarray:
        nonlocal state
        with jax.default_matmul_precision(loop.PRECISION):
            state, values = train_step(state, {}, examples, jnp.float32(0))
        return np.asarray(values["loss"])

    return job


def measure(session: Session) -> dict[str, str]:
    batch = session.plan.training_batch
    rows = [
        session.speed(f"training step, batch {batch}", "training", batch, malloc, batch=batch)
        for malloc in session.plan.mallocs
    ]
    text = (
        "Loss, gradients, BatchNorm statistics and the update by SGD with momentum, ms a clip; ours is the step that "
        f"`python -m stavis_jax.main` runs. Losses of the first step: {report.agreement(rows)}"
    )
    return session.speed_section("Training step", text, rows)
