"""Forward pass: the logits of a batch of clips."""

from collections.abc import Callable

import numpy as np

from benchmarks import inputs, report
from benchmarks.session import Session


def theirs(weights: str, batch: int, size: int) -> Callable[[], np.ndarray]:
    import torch

    from benchmarks import torch_side

    network, (clip, waveform) = torch_side.load(weights), torch_side.clips(batch, size)

    def job() -> np.ndarray:
        with torch.inference_mode():
            return network(clip, waveform).logits.numpy()

    return job


def ours(weights: str, batch: int, size: int) -> Callable[[], np.ndarray]:
    import jax.numpy as jnp

    from benchmarks import jax_side

    model, (clip, waveform) = jax_side.load_model(weights, size), map(jnp.asarray, inputs.clips(batch, size))
    return lambda: np.asarray(model.saliency_logits(clip, waveform))


def measure(session: Session) -> dict[str, str]:
    rows = [
        session.speed(f"forward, batch {batch}", "forward", batch, malloc, batch=batch)
        for batch in session.plan.forward_batches
        for malloc in session.plan.mallocs
        if malloc != "as commands"  # no command runs a forward pass alone
    ]
    text = f"Logits of l3mul-s3, ms a clip. Both sides have the same weights and clips; {report.agreement(rows)}"
    return session.speed_section("Forward pass", text, rows)
