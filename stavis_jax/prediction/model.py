"""A STAViS network ready to score: clip and waveform in, saliency logits out."""

import contextlib
import zlib
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
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.number_format import number_format
from stavis_jax.prediction import memory_use, programs
from stavis_jax.weights.flat_names import Weights, expected_shapes
from stavis_jax.weights.loading import check_variant, load_weights
from stavis_jax.weights.named_checkpoints import STARTER, STARTER_DIRECTORY
from stavis_jax.weights.pytorch_weights import VISUAL

Array = jax.Array | np.ndarray

CPU_BATCH, ACCELERATOR_BATCH = 4, 32  # clips: a CPU computes them one by one; other devices are full from about 32 on


class StavisModel:
    """A network with its weights, in scoring mode.

    Attributes:
      config: which network.
      variant: name of the system.
      depth: depth of the 3D ResNet.
      size: height and width of the clips it was trained on, pixels. Clips of other sizes work too.
      uses_sound: whether it uses the waveform.
      form: how it computes.
      dtype: number format of the trunk's activations and products; everything else is float32.
      batch_size: clips per call that suit the device, if nobody asks for another number.
      memory_use: how much memory prediction uses beyond what it needs.
      device_weights: its arrays by flat name, on the device, as the compiled programs take them.
    """

    def __init__(
        self,
        config: NetworkConfig,
        weights: Weights,
        size: int = 112,
        *,
        form: BackendForm | None = None,
        dtype: str = "auto",
    ):
        """Puts weights on the device.

        Args:
          config: which network.
          weights: arrays by flat name; extra arrays are allowed. A CPU uses the memory of arrays that nobody may write.
          size: height and width of the clips it was trained on, pixels.
          form: how it computes; by default the fastest form to score on JAX's default backend.
          dtype: number format of the trunk: "float32", "bfloat16", or "auto", which is bfloat16 on TPUs and on NVIDIA
            GPUs that have it, otherwise float32.

        Raises:
          ValueError: the number format is none of these.
          UserError: an array is missing or has another shape.
        """
        self.dtype = number_format(dtype)
        # The fastest form to score on a CPU takes differences of frames, which bfloat16 has too few digits for.
        self.form = form or BackendForm.for_platform(scoring=True, dtype=self.dtype)
        shapes = expected_shapes(config, self.form)
        missing = [name for name in shapes if name not in weights]
        if missing:
            raise UserError(f"{config.variant} needs arrays that are missing: {', '.join(missing)}.")
        wrong = [name for name, shape in shapes.items() if tuple(weights[name].shape) != shape]
        if wrong:
            raise UserError(f"the shapes of these arrays do not fit {config.variant}: {', '.join(wrong)}.")
        self.config, self.variant, self.depth, self.size = config, config.variant, config.depth, size
        self.uses_sound = fusion.VARIANTS[config.variant].uses_sound
        self.memory_use = memory_use.OF_LIBRARY
        self.batch_size = CPU_BATCH if jax.default_backend() == "cpu" else ACCELERATOR_BATCH
        self.device_weights = {name: self._on_device(weights[name]) for name in shapes}

    def _on_device(self, array: np.ndarray) -> jax.Array | tuple[jax.Array, ...]:
        """Splits kernels of 3D convolutions on frames into time taps. Doing so in each call would copy most weights."""
        array = np.asarray(array, np.float32)
        if array.flags.writeable:
            array = array.copy()  # a CPU may use the array's memory, which its owner may change
        split = array.ndim == 5 and self.form.layout == "frames"
        return tuple(map(jax.device_put, array)) if split else jax.device_put(array)

    @property
    def weights(self) -> Weights:
        """The arrays by flat name, float32, fetched from the device."""
        fetched = jax.device_get(self.device_weights)
        return {name: np.stack(array) if isinstance(array, tuple) else array for name, array in fetched.items()}

    def identity(self) -> dict[str, str]:
        """Returns the variant, a CRC-32 of the arrays as "checkpoint", and the number format."""
        checksum = 0
        for name, array in sorted(self.weights.items()):
            checksum = zlib.crc32(np.ascontiguousarray(array).data, zlib.crc32(name.encode(), checksum))
        return {"variant": self.variant, "checkpoint": f"{checksum:08x}", "dtype": self.dtype.name}

    def __call__(self, clip: Array, waveform: Array | None) -> Outputs:
        """Runs the network.

        Args:
          clip: [B, T, H, W, 3], float, RGB in [0, 255] minus the ActivityNet mean; trained on T = 16, H = W = `size`.
          waveform: [B, S], float, mono at 22,050 Hz in [-256, 256], Hann-windowed; trained on S = 35,280. `visual`
            ignores it, and it may be None there.

        Returns:
          Outputs: logits [B, H, W], attention and localisation.

        Raises:
          ValueError: other shapes or dtypes.
          UserError: the batch does not fit into memory.
        """
        with _memory_for(clip):
            return self.run(programs.outputs, *self._checked(clip, waveform))

    def saliency_logits(self, clip: Array, waveform: Array | None) -> jax.Array:
        """Returns only the logits [B, H, W], which is faster than a call. Arguments and errors are those of a call."""
        with _memory_for(clip):
            return self.run(programs.logits, *self._checked(clip, waveform))

    def run(self, program: Callable[..., Any], *inputs: Any, **static: Any) -> Any:
        """Runs one of `prediction.programs` with this network."""
        return program(self.config, self.form, self.device_weights, *inputs, dtype=self.dtype, **static)

    def _checked(self, clip: Array, waveform: Array | None) -> tuple[jax.Array, jax.Array | None]:
        if np.ndim(clip) != 5 or clip.shape[-1] != 3 or 0 in clip.shape:
            raise ValueError(f"clip: shape {np.shape(clip)}, expected [B, T, H, W, 3].")
        if not jnp.issubdtype(clip.dtype, jnp.floating):
            raise ValueError(f"clip: {clip.dtype}, expected float32, pixels minus the ActivityNet mean.")
        clip = jnp.asarray(clip, jnp.float32)
        if not self.uses_sound:
            return clip, None  # one compilation for waveforms of all lengths
        shape = () if waveform is None else waveform.shape
        if waveform is None or len(shape) != 2 or shape[0] != clip.shape[0] or shape[1] < FEWEST_SAMPLES:
            raise ValueError(
                f"waveform: shape {shape}, {self.variant} expects [B, S] with the clip's B = "
                f"{clip.shape[0]} and S >= {FEWEST_SAMPLES}. Pad with zeros on both sides; zeros are silence."
            )
        if not jnp.issubdtype(waveform.dtype, jnp.floating):
            raise ValueError(f"waveform: {waveform.dtype}, expected float32 in [-256, 256].")
        return clip, jnp.asarray(waveform, jnp.float32)


def load(
    path: Path | str | None = None, variant: str | None = None, *, form: BackendForm | None = None, dtype: str = "auto"
) -> StavisModel:
    """Loads a network ready to score.

    Args:
      path: a STAViS .pth or .safetensors file (converted in memory), a converted directory, a training's workdir, or a
        name such as "stavis" (`weights.named_checkpoints.NAMES`), which is fetched at its first use. By default the
        starter network, which is part of the package and sees the picture only.
      variant: which system of models/fusion.py to run; None chooses as `weights.loading.load_weights` does.
      form: how it computes; by default the fastest form to score on JAX's default backend.
      dtype: number format of the trunk: "float32", "bfloat16", or "auto", which is bfloat16 on TPUs and on NVIDIA GPUs
        that have it (compute capability 8.0 or more), otherwise float32.

    Raises:
      ValueError: the number format is none of these.
      UserError: there is nothing to load, the checkpoint cannot predict, or the variant is unknown.
    """
    check_variant(variant)
    weights, info = load_weights(path, variant)
    path = STARTER if path in (None, STARTER_DIRECTORY) else path  # as errors name it
    if info.kind != "stavis":
        content = {"kinetics": "a classifier", "soundnet": "SoundNet"}[info.kind]
        raise UserError(
            f"{path}: holds {content}, which has no saliency heads. It can start a training, but not predict. "
            "Give a STAViS checkpoint or a workdir."
        )
    config = info.network_config(variant)
    is_visual = info.variant == VISUAL and not any(name.startswith("soundnet/") for name in weights)
    if is_visual and fusion.VARIANTS[config.variant].uses_sound:
        raise UserError(
            f"{path}: {variant} needs sound, and this network sees the picture only. Give a checkpoint with sound, "
            "such as stavis, or leave the variant out."
        )
    try:
        return StavisModel(config, weights, info.size, form=form, dtype=dtype)
    except UserError as error:
        raise UserError(f"{path}: {error} Give another variant or checkpoint.") from error


def _memory_for(clip: Array) -> contextlib.AbstractContextManager[None]:
    shape = " x ".join(map(str, np.shape(clip)))
    return out_of_memory_as_user_error(f"a batch of {len(clip)} clips ({shape})", "Give a smaller --batch-size.")
