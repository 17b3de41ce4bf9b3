"""The cost of a system: parameters, operations per clip, speed on this device."""

import dataclasses
import math
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from data_pipelines.inputs.windows import CLIP_FRAMES, WAVEFORM_SAMPLES
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.prediction.model import StavisModel
from stavis_jax.training import parameter_groups
from stavis_jax.weights.flat_names import expected_shapes, flat_name, network_from

REPEATS = 5  # batches timed; their median counts


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of one system.

    Attributes:
      parameters: number of trained parameters. A system with sound also has visual heads that are not trained.
      gflops: operations to score one clip, with two for a multiply-add; NaN if XLA does not report them.
      clips_per_second: scoring speed with batches of `batch_size` clips on `device`.
    """

    parameters: int
    gflops: float
    clips_per_second: float
    batch_size: int
    device: str


def measure(model: StavisModel, batch_size: int) -> Cost:
    """Returns the cost of a system at the clip size it was trained on."""
    device = jax.devices()[0].device_kind
    return Cost(
        learning_parameters(model.config),
        gflops_of_clip(model.config, model.size),
        clips_per_second(model, batch_size),
        batch_size,
        f"{jax.default_backend()} ({device})" if device != jax.default_backend() else device,
    )


def learning_parameters(config: NetworkConfig) -> int:
    """Returns how many parameters the training of a system changes, without BatchNorm's running statistics."""
    network = nnx.eval_shape(lambda: Stavis(config, rngs=nnx.Rngs(0)))
    sizes = {flat_name(path): math.prod(x.shape) for path, x in nnx.to_flat_state(nnx.state(network, nnx.Param))}
    factors = parameter_groups.rate_factors(sizes, config.variant, dict.fromkeys(parameter_groups.GROUPS, 1.0))
    return sum(size for name, size in sizes.items() if factors[name])


def gflops_of_clip(config: NetworkConfig, size: int) -> float:
    """Returns XLA's count of operations for the logits of one clip, [1, 16, size, size, 3], in units of 10^9.

    The count is the same on every device, because it is taken from the textbook form before the device's own
    optimisations.
    """
    weights = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in expected_shapes(config).items()}
    clip = jax.ShapeDtypeStruct((1, CLIP_FRAMES, size, size, 3), jnp.float32)
    waveform = jax.ShapeDtypeStruct((1, WAVEFORM_SAMPLES), jnp.float32)

    def logits(weights, clip, waveform):
        return network_from(config, weights, TEXTBOOK)(clip, waveform).logits

    counts = jax.jit(logits).lower(weights, clip, waveform).cost_analysis() or {}
    return counts.get("flops", math.nan) / 1e9


def clips_per_second(model: StavisModel, batch_size: int) -> float:
    """Returns the median speed over a few batches that are already on the device. Compilation is not timed."""
    draw = np.random.default_rng(0).normal
    clip = jnp.asarray(50 * draw(size=(batch_size, CLIP_FRAMES, model.size, model.size, 3)), jnp.float32)
    waveform = jnp.asarray(draw(size=(batch_size, WAVEFORM_SAMPLES)), jnp.float32)
    seconds = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(model.saliency_logits(clip, waveform))
        seconds.append(time.perf_counter() - start)
    return batch_size / statistics.median(seconds[1:])
