"""Dense prediction: a map for every frame of a film that is in memory."""

from collections.abc import Callable

import numpy as np

from benchmarks import inputs, report
from benchmarks.session import Session


def theirs(weights: str, num_frames: int, size: int) -> Callable[[], np.ndarray]:
    from benchmarks import torch_side
    from benchmarks.reference.prediction import predict_frames

    network, (frames, sound) = torch_side.load(weights), inputs.film(num_frames, size)
    return lambda: predict_frames(network, frames, sound, inputs.FRAME_RATE_HZ, torch_side.BATCH_SIZE)


def ours(weights: str, num_frames: int, size: int, stride: int = 1) -> Callable[[], np.ndarray]:
    from benchmarks import jax_side
    from stavis_jax.prediction.api import predict_frames

    model, (frames, sound) = jax_side.load_model(weights, size), inputs.film(num_frames, size)
    rates = inputs.SAMPLE_RATE_HZ, inputs.FRAME_RATE_HZ
    return lambda: predict_frames(frames, sound, *rates, model, batch_size=jax_side.BATCH_SIZE, stride=stride)


def measure(session: Session) -> dict[str, str]:
    frames = session.plan.film_frames
    rows = [
        session.speed("dense prediction", "dense", frames, malloc, num_frames=frames) for malloc in session.plan.mallocs
    ]
    text = (
        f"A map for each of {frames} frames that are in memory, with sound, ms a map: the network and what feeds it. "
        f"PyTorch runs batches of 4 clips. Maps: {report.agreement(rows)}"
    )
    return session.speed_section(
        "Dense prediction",
        text,
        rows,
    )
