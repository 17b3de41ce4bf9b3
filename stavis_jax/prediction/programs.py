"""The compiled programs of prediction. Each is called with a network's config, form and weights, then its inputs.

The trunk computes in the number format `dtype`, everything else in float32. Float32 products are exact to float32: by
default GPUs and TPUs would round their factors to 10 bits or fewer.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stavis_jax.models import shared_stem
from stavis_jax.models.stavis import NetworkConfig, Outputs, Stavis
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.video import join_clips
from stavis_jax.weights.flat_names import Weights, network_from


class ClipPredictions(NamedTuple):
    """Predictions of B clips. The last two fields are left out by models that do not have them."""

    logits: jax.Array | np.ndarray  # [B, S, S]
    localization: jax.Array | None = None  # [B, h, w]
    attention: tuple[jax.Array, ...] = ()  # 4 x [B, h, w]


def network_program(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles `function(network, *inputs, **size)` to a program of (config, form, weights, *inputs, dtype, **size)."""

    def program(
        config: NetworkConfig,
        form: BackendForm,
        weights: Weights,
        *inputs: Any,
        dtype: Any = jnp.float32,
        **size: Any,
    ) -> Any:
        network = network_from(config, weights, form)
        network.trunk.dtype = jnp.dtype(dtype)
        with jax.default_matmul_precision("highest"):
            return function(network, *inputs, **size)

    program.__name__ = function.__name__
    return jax.jit(program, static_argnums=(0, 1), static_argnames=("dtype", "size"))


@network_program
def outputs(network: Stavis, clip: jax.Array, waveform: jax.Array | None) -> Outputs:
    return _clip_by_clip(network.form, network, clip, waveform)


@network_program
def logits(network: Stavis, clip: jax.Array, waveform: jax.Array | None) -> jax.Array:
    return _clip_by_clip(network.form, lambda *inputs: network(*inputs).logits, clip, waveform)


@network_program
def predict_clips(network: Stavis, clip: jax.Array, waveform: jax.Array | None) -> ClipPredictions:
    return _clip_by_clip(network.form, lambda *inputs: _predictions(network, network(*inputs)), clip, waveform)


@network_program
def stem_products(network: Stavis, frames: jax.Array) -> tuple[jax.Array, ...]:
    return shared_stem.products(network.trunk, frames)


@network_program
def stem_kinds(network: Stavis, window: tuple[jax.Array, ...]) -> shared_stem.Kinds:
    return shared_stem.kinds_of(network.trunk, window)


@network_program
def predict_after_stem(
    network: Stavis, clips: Sequence[tuple[jax.Array, ...]], waveform: jax.Array | None, *, size: tuple[int, int]
) -> ClipPredictions:
    """Predicts B clips from the stem's output, B x 16 x [1, h, w, 64]; `size` is the height and width of the maps."""
    video = join_clips(clips, network.form.layout)
    return _predictions(network, network.after_stem(video, waveform, size))


@jax.jit
def concatenate(predictions: Sequence[ClipPredictions]) -> ClipPredictions:
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *predictions)


def _clip_by_clip(form: BackendForm, function: Callable[..., Any], *inputs: Any) -> Any:
    """Calls a function of batches: clip by clip if the form says so, otherwise with all clips at once."""
    if not form.clip_by_clip:
        return function(*inputs)

    def one(inputs: Any) -> Any:
        return jax.tree.map(lambda x: x[0], function(*jax.tree.map(lambda x: x[None], inputs)))

    return jax.lax.map(one, inputs)


def _predictions(network: Stavis, outputs: Outputs) -> ClipPredictions:
    localization = outputs.localization
    if localization is not None:
        localization = localization @ network.fuseav.localization_weights()
    return ClipPredictions(outputs.logits, localization, outputs.attention)
