"""Our network stage by stage, each compiled alone on made-up features; torch_stages.py is the other side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import stavis_jax
from benchmarks.jax_jobs import device
from benchmarks.stage_inputs import stage_inputs
from stavis_jax.models import fusion
from stavis_jax.models.attention import StageSaliency
from stavis_jax.models.stavis import Stavis
from stavis_jax.ops.pooling import max_pool3d
from stavis_jax.ops.video import fastest_layout, lay_out, scale_by_map
from stavis_jax.weights.flat_names import Weights, network_from

__all__ = ["device", "matmul", "stage"]


def stage(weights: str, name: str, batch: int, size: int) -> Callable[[], Any]:
    """A stage of stage_inputs.STAGES as it scores: on a CPU of one clip after the other, in the form for that."""
    model = stavis_jax.load(Path(weights) / "converted")
    features = stage_inputs(name, model.depth, batch, size)
    clips_at_once = 1 if fastest_layout() == "frames" else batch
    shares = [
        [_laid_out(jnp.asarray(x[i : i + clips_at_once])) for x in features] for i in range(0, batch, clips_at_once)
    ]

    @jax.jit
    def run(arrays: Weights, features: list) -> Any:
        with jax.default_matmul_precision("highest"):
            return _run(network_from(model.config, arrays), name, features, size)

    return lambda: [jax.block_until_ready(run(model.device_weights, share)) for share in shares]


def matmul(size: int) -> Callable[[], Any]:
    """A product of square float32 matrices: the machine's peak, as XLA gets it."""
    matrix = jnp.asarray(np.random.default_rng(0).standard_normal((size, size), np.float32))
    product = jax.jit(lambda a, b: jnp.matmul(a, b, precision="highest"))
    return lambda: jax.block_until_ready(product(matrix, matrix))


def _laid_out(array: jax.Array) -> Any:
    return lay_out(array, fastest_layout()) if array.ndim == 5 else array


def _run(network: Stavis, name: str, features: list, size: int) -> Any:
    if name == "stem":
        return network.trunk.stem(*features, False)
    if name.startswith("layer"):
        return getattr(network.trunk, name)(*features, False)
    if name.startswith("attention"):
        (video,) = features
        saliency = getattr(network, name)(video)
        if name == "attention4":
            return saliency  # its attention is not applied
        attended = scale_by_map(video, 1 + saliency.attention)
        return saliency, max_pool3d(attended) if name == "attention1" else attended
    if name == "sound":
        return network.soundnet(*features, False, as_columns=fastest_layout() == "frames")
    *saliency, middle, sound = features
    stages = [StageSaliency(x, x[..., 0], x[..., 0]) for x in saliency]  # logits come of the features alone
    attention = [getattr(network, f"attention{number}") for number in (1, 2, 3, 4)]
    hidden = network.hidden(middle, sound)
    evidence = fusion.Evidence(stages, attention, network.fuse, network.localization, hidden, (size, size))
    return network.fuseav(evidence)
