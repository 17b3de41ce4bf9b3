"""The compiled programs of prediction. Each is called with a network's config, form and weights, then its inputs.

The trunk computes in the number format `dtype`, everything else in float32. Float32 products are exact to float32: by
default GPUs and TPUs would round their factors to 10 bits or fewer.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from data_pipelines.inputs.windows import CLIP_FRAMES, MEAN_RGB
from stavis_jax.models import shared_stem
from stavis_jax.models.stavis import NetworkConfig, Outputs, Stavis
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.compiler_options import compiler_options
from stavis_jax.ops.video import cut_clips, join_clips
from stavis_jax.weights.flat_names import network_from


class ClipPredictions(NamedTuple):
    """Predictions of B clips. The last two fields are left out by models that do not have them."""

    saliency: jax.Array  # [B, S, S] in [0, 1]; NaN where the logits are not finite
    localization: jax.Array | None = None  # [B, h, w]
    attention: tuple[jax.Array, ...] = ()  # 4 x [B, h, w]


class NetworkProgram:
    """A function of a network, compiled once for each config, form, number format and shape of its inputs."""

    def __init__(self, function: Callable[..., Any]):
        """`function(network, *inputs, **static)` computes with a network whose trunk has the right number format."""
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *arguments: Any, **static: Any) -> Any:
        """Runs the compiled program on JAX's default backend. The arguments are those of `inline`."""
        return self.compiled()(*arguments, **static)

    def inline(
        self,
        config: NetworkConfig,
        form: BackendForm,
        weights: Mapping[str, Any],
        *inputs: Any,
        dtype: Any = jnp.float32,
        **static: Any,
    ) -> Any:
        """Computes as a part of another compiled function, which has compiler options of its own."""
        network = network_from(config, weights, form)
        network.trunk.dtype = jnp.dtype(dtype)
        with jax.default_matmul_precision("highest"):
            return self._function(network, *inputs, **static)

    @functools.cache  # noqa: B019, programs live as long as this module
    def compiled(self, platform: str | None = None) -> Any:
        """Returns the jitted program for a platform; None is JAX's default backend."""

        def program(*arguments: Any, **static: Any) -> Any:
            return self.inline(*arguments, **static)

        program.__name__ = self._function.__name__
        names, options = ("dtype", "size", "stride"), compiler_options(platform)
        return jax.jit(program, static_argnums=(0, 1), static_argnames=names, compiler_options=options)


@NetworkProgram
def outputs(network: Stavis, clip: jax.Array, waveform: jax.Array | None) -> Outputs:
    return _clip_by_clip(network.form, lambda *inputs: network(*inputs)._replace(hidden=None), clip, waveform)


@NetworkProgram
def logits(network: Stavis, clip: jax.Array, waveform: jax.Array | None) -> jax.Array:
    return _clip_by_clip(network.form, lambda *inputs: network(*inputs).logits, clip, waveform)


@NetworkProgram
def predict_clips(network: Stavis, frames: jax.Array, waveform: jax.Array | None, *, stride: int) -> ClipPredictions:
    """Predicts B clips of a block of frames, which start `stride` frames apart.

    Takes frames as stored, uint8 [(B - 1) stride + 16, H, W, 3].
    """
    clip = _without_mean(cut_clips(frames, CLIP_FRAMES, stride))
    return _clip_by_clip(network.form, lambda *inputs: _predictions(network, network(*inputs)), clip, waveform)


@NetworkProgram
def predict_next_clips(
    network: Stavis, products: jax.Array, frames: jax.Array, waveform: jax.Array | None, *, stride: int
) -> tuple[ClipPredictions, jax.Array]:
    """Predicts the next B clips of a film and computes the stem of each frame once. For videos that are arrays.

    Takes the stem's products of the 16 - stride frames before, [16 - stride, h, w, 448], and the next frames as stored,
    uint8 [B stride, H, W, 3]. Also returns the products for the next call.
    """
    new = shared_stem.products(network.trunk, _without_mean(frames))
    products = jnp.concatenate([products, new])
    stem = shared_stem.stem_of_clips(network.trunk, products, stride)
    size = frames.shape[1], frames.shape[2]
    predictions = _predictions(network, network.after_stem(stem, waveform, size))
    return predictions, products[len(frames) :]


@NetworkProgram
def stem_products(network: Stavis, frames: jax.Array) -> tuple[jax.Array, ...]:
    """Returns the products of each frame alone, N x [1, h, w, 448]."""
    return tuple(shared_stem.products(network.trunk, frames[i : i + 1]) for i in range(len(frames)))


@NetworkProgram
def stem_kinds(network: Stavis, window: tuple[jax.Array, ...]) -> shared_stem.Kinds:
    return shared_stem.kinds_of(network.trunk, window)


@NetworkProgram
def predict_after_stem(
    network: Stavis, clips: Sequence[tuple[jax.Array, ...]], waveform: jax.Array | None, *, size: tuple[int, int]
) -> ClipPredictions:
    """Predicts B clips from the stem's output, B x 16 x [1, h, w, 64]; `size` is the height and width of the maps."""
    video = join_clips(clips, network.form.layout)
    return _predictions(network, network.after_stem(video, waveform, size))


@jax.jit
def saliency_of(logits: jax.Array) -> jax.Array:
    """Returns the sigmoid, float32; NaN where the logits are not finite."""
    return jnp.where(jnp.isfinite(logits), jax.nn.sigmoid(logits.astype(jnp.float32)), jnp.nan)


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


def _without_mean(frames: jax.Array) -> jax.Array:
    mean = jnp.asarray(MEAN_RGB, jnp.float32).reshape(*[1] * (frames.ndim - 1), 3)
    return frames.astype(jnp.float32) - mean


def _predictions(network: Stavis, outputs: Outputs) -> ClipPredictions:
    localization = outputs.localization
    if localization is not None:
        localization = localization @ network.fuseav.localization_weights()
    return ClipPredictions(saliency_of(outputs.logits), localization, outputs.attention)
