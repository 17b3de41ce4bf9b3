"""A network ready to score: clip and waveform in, saliency logits out."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.runtime.errors import UserError, out_of_memory_as_user_error
from stavis_jax.models import fusion
from stavis_jax.models.soundnet import FEWEST_SAMPLES
from stavis_jax.models.stavis import NetworkConfig, Outputs
from stavis_jax.ops.video import fastest_layout
from stavis_jax.weights.flat_names import Weights, expected_shapes, network_from
from stavis_jax.weights.loading import check_variant, load_weights


class SaliencyModel:
    """A network with its weights, in scoring mode.

    Attributes:
      config: which network.
      variant, depth: of the config.
      uses_sound: whether it hears.
      weights: its arrays, float32 by flat name; fetched from the device each time.
      device_weights: the same on the device, as the compiled functions take them.
      size: height and width of the clips it was trained on, pixels. Clips of other sizes work too.
    """

    def __init__(self, config: NetworkConfig, weights: Weights, size: int = 112):
        """Takes from `weights` what the network needs; may hold more.

        Raises:
          UserError: an array is missing or has another shape.
        """
        shapes = expected_shapes(config)
        missing = [name for name in shapes if name not in weights]
        if missing:
            raise UserError(f"{config.variant} needs arrays that are not there: {', '.join(missing)}.")
        wrong = [name for name, shape in shapes.items() if tuple(weights[name].shape) != shape]
        if wrong:
            raise UserError(
                f"arrays of other shapes than {config.variant} of depth {config.depth}: {', '.join(wrong)}."
            )
        self.config, self.variant, self.depth, self.size = config, config.variant, config.depth, size
        self.uses_sound = fusion.VARIANTS[config.variant].uses_sound
        self.device_weights = {name: _prepared(name, weights[name]) for name in shapes}

    @property
    def weights(self) -> Weights:
        device = jax.device_get(self.device_weights)
        return {name: np.stack(array) if isinstance(array, tuple) else array for name, array in device.items()}

    def __call__(self, clip: jax.Array | np.ndarray, waveform: jax.Array | np.ndarray | None) -> Outputs:
        """Runs the network.

        Args:
          clip: [B, T, H, W, 3], float, RGB in [0, 255] minus the ActivityNet mean; trained on T = 16, H = W = `size`.
          waveform: [B, S], float, mono at 22,050 Hz in [-256, 256], Hann-windowed; trained on S = 35,280. For
            `visual` it is not used and may be None.

        Returns:
          Outputs: logits [B, H, W] and what led to them.

        Raises:
          ValueError: other shapes or dtypes.
        """
        with _memory_for(clip):
            return _outputs(self.config, self.device_weights, *self._checked(clip, waveform))

    def saliency_logits(self, clip: jax.Array | np.ndarray, waveform: jax.Array | np.ndarray | None) -> jax.Array:
        """The logits [B, H, W] alone, which is less work. Arguments and errors as of a call."""
        with _memory_for(clip):
            return _logits(self.config, self.device_weights, *self._checked(clip, waveform))

    def _checked(self, clip, waveform) -> tuple[jax.Array, jax.Array | None]:
        if np.ndim(clip) != 5 or clip.shape[-1] != 3 or 0 in clip.shape:
            raise ValueError(f"clip: shape {np.shape(clip)}, expected [B, T, H, W, 3].")
        if not jnp.issubdtype(clip.dtype, jnp.floating):
            raise ValueError(f"clip: {clip.dtype}, expected float32, pixels minus the ActivityNet mean.")
        clip = jnp.asarray(clip, jnp.float32)
        if not self.uses_sound:
            return clip, None  # whatever its length, one compilation
        if np.ndim(waveform) != 2 or waveform.shape[0] != clip.shape[0] or waveform.shape[1] < FEWEST_SAMPLES:
            raise ValueError(
                f"waveform: shape {np.shape(waveform)}, {self.variant} expects [B, S] with B = {clip.shape[0]}, as "
                f"the clip has, and S >= {FEWEST_SAMPLES}. Pad with zeros on both sides; all zeros are silence."
            )
        if not jnp.issubdtype(waveform.dtype, jnp.floating):
            raise ValueError(f"waveform: {waveform.dtype}, expected float32 in [-256, 256].")
        return clip, jnp.asarray(waveform, jnp.float32)


def _memory_for(clip: jax.Array | np.ndarray) -> contextlib.AbstractContextManager[None]:
    shape = " x ".join(map(str, np.shape(clip)))
    return out_of_memory_as_user_error(f"a batch of {len(clip)} clips ({shape})", "Give a smaller --batch-size.")


def load(path: Path | str, variant: str | None = None) -> SaliencyModel:
    """Loads a network ready to score.

    Args:
      path: a STAViS .pth file (converted in memory), a converted directory, or a training's workdir.
      variant: which system to run, one of models/fusion.py's. None: see `weights.loading.load_weights`.

    Raises:
      UserError: nothing to load there, a checkpoint that cannot predict, or an unknown variant.
    """
    check_variant(variant)
    weights, info = load_weights(path, variant)
    if info.kind != "stavis":
        holds, part = {"kinetics": ("a classifier", "a trunk"), "soundnet": ("SoundNet", "a sound network")}[info.kind]
        raise UserError(
            f"{path}: holds {holds}: {part} without saliency heads can start a training, not predict. "
            "Give a STAViS checkpoint or a workdir."
        )
    try:
        return SaliencyModel(info.network_config(variant), weights, info.size)
    except UserError as error:
        raise UserError(f"{path}: {error} Give another variant or checkpoint.") from error


def _prepared(name: str, array: np.ndarray) -> jax.Array | tuple[jax.Array, ...]:
    """A kernel of the trunk as its time taps, for the form of convolution that scores fastest (ops/conv3d.py).

    Taken apart once, not in every call: there it is a copy of most of the weights.
    """
    array = np.asarray(array, np.float32)
    if fastest_layout() == "frames" and name.startswith("trunk/") and array.ndim == 5:
        return tuple(map(jnp.asarray, array))
    return jnp.asarray(array)


@functools.partial(jax.jit, static_argnums=0)
def _outputs(config: NetworkConfig, weights: Weights, clip: jax.Array, waveform: jax.Array | None) -> Outputs:
    with jax.default_matmul_precision("highest"):  # GPUs and TPUs would round factors to 10 bits or fewer
        network = network_from(config, weights)
        return clip_by_clip(network, (clip, waveform))


def clip_by_clip(function: Callable, inputs: Any) -> Any:
    """Outputs of a function of batches: on a CPU of one clip after the other, else of all at once.

    What one clip needs in between stays in the cache and, below 32 MB, in the process.
    """
    if fastest_layout() == "array":
        return function(*inputs)

    def one(inputs: Any) -> Any:
        outputs = function(*jax.tree.map(lambda x: x[None], inputs))
        return jax.tree.map(lambda x: x[0], outputs)

    return jax.lax.map(one, inputs)


@functools.partial(jax.jit, static_argnums=0)
def _logits(config: NetworkConfig, weights: Weights, clip: jax.Array, waveform: jax.Array | None) -> jax.Array:
    return _outputs(config, weights, clip, waveform).logits
