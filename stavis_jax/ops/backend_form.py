"""The form in which a network computes on each kind of device.

Every op of the network has a textbook form, which XLA compiles well for GPUs and TPUs, and some have faster ones for
XLA:CPU. All forms give the same numbers up to rounding. A `BackendForm` names one form of every op. It is chosen once,
where a network is built or loaded, and passed to every layer. Any form runs on any device.

To add a form: add its name to a field below, the code to the op, and the name to the rows of its platforms.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from stavis_jax.ops.video import Layout


@dataclasses.dataclass(frozen=True)
class BackendForm:
    """Names the form of every op. The default values are the textbook forms.

    Attributes:
      layout: layout of a video inside the network (ops/video.py).
      conv1d: "xla", or "columns", one matrix product over gathered columns (ops/conv1d.py).
      conv2d: "xla", or "dots" for kernel gradients by one matrix product per tap (ops/conv2d.py).
      conv3d: on arrays "xla", or "stacked", which makes the time taps of pixels channels of a 2D convolution, and needs
        fewer transposes on a GPU; on frames "sums", which is fast to train, or "karatsuba", which is faster to score
        and slow to differentiate (ops/conv3d.py).
      max_pool: "windows", on arrays, or "comparisons", on arrays and frames (ops/pooling.py). XLA scatters the gradient
        of windows on a GPU, which is slow and adds in an order that varies; on a TPU windows are far faster.
      batch_norm: how many times the statistics read a video: "two-pass" or "one-pass" (ops/batch_norm.py). "folded" is
        "one-pass", and folds the norm into a 1x1x1 convolution that widens the video (ops/folded_norm.py).
      clip_pairs: whether layer1 computes two clips side by side as channels (ops/clip_pairs.py).
      rounded_side_prep: whether attention rounds the factors of its 3x3 convolution to the trunk's number format. A TPU
        multiplies bfloat16 in one pass and float32 in six.
      scaled_convolution: whether the gradient of an attention map is computed from the output of the 1x1x1 convolution
        after it (ops/scaled_convolution.py).
      upsampling: how saliency is upsampled, by "blocks" or "matrices" (ops/upsampling.py).
      time_chunks: whether clips are cut into chunks of time up to the first pooling (ops/time_chunks.py).
      clip_by_clip: whether a model scores the clips of a batch one after another. The intermediate results of a clip
        then stay in the CPU's cache.
      recomputed: whether training computes cheap layers again in the backward pass, which then needs far less memory
        (ops/recomputation.py).
    """

    layout: Layout = "array"
    conv1d: Literal["xla", "columns"] = "xla"
    conv2d: Literal["xla", "dots"] = "xla"
    conv3d: Literal["xla", "stacked", "sums", "karatsuba"] = "xla"
    max_pool: Literal["windows", "comparisons"] = "windows"
    batch_norm: Literal["two-pass", "one-pass", "folded"] = "two-pass"
    clip_pairs: bool = False
    rounded_side_prep: bool = False
    scaled_convolution: bool = False
    upsampling: Literal["blocks", "matrices"] = "blocks"
    time_chunks: bool = False
    clip_by_clip: bool = False
    recomputed: bool = False

    def __post_init__(self) -> None:
        on_frames = self.conv3d in ("sums", "karatsuba")
        for_arrays = self.max_pool == "windows" or self.batch_norm == "folded" or self.clip_pairs or self.time_chunks
        for_arrays |= self.scaled_convolution
        if on_frames != (self.layout == "frames") or (on_frames and for_arrays):
            raise ValueError(f"{self}: some of these forms do not work on the layout {self.layout!r}.")

    @classmethod
    def for_platform(
        cls, platform: str | None = None, *, scoring: bool = False, dtype: DTypeLike = "float32"
    ) -> "BackendForm":
        """Returns the fastest form for a platform.

        Args:
          platform: "cpu", "gpu" or "tpu"; None is JAX's default backend. Other platforms get the form of "gpu".
          scoring: whether the network only scores. Otherwise the form is the fastest to train with.
          dtype: number format in which the network scores. "karatsuba" subtracts frames, which bfloat16 is too coarse
            for.
        """
        platform = platform or jax.default_backend()
        training_form, scoring_form = _FORMS.get(platform, _FORMS["gpu"])
        if not scoring or (scoring_form.conv3d == "karatsuba" and jnp.dtype(dtype) != jnp.float32):
            return training_form
        return scoring_form


TEXTBOOK = BackendForm()
_CPU = BackendForm("frames", "columns", "dots", "sums", "comparisons", clip_by_clip=True, recomputed=True)
_GPU = BackendForm(conv3d="stacked", max_pool="comparisons", batch_norm="one-pass")
_TPU = BackendForm(
    batch_norm="folded",
    clip_pairs=True,
    rounded_side_prep=True,
    scaled_convolution=True,
    upsampling="matrices",
    time_chunks=True,
)
_FORMS = {  # platform: form to train, form to score
    "cpu": (_CPU, dataclasses.replace(_CPU, conv3d="karatsuba")),
    "gpu": (_GPU, dataclasses.replace(_GPU, conv3d="xla")),  # scoring with stacked taps needs more transposes
    "tpu": (_TPU, _TPU),
}
