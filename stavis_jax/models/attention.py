"""DSAM, the deeply supervised attention module after each stage of the trunk (paper, section 3.1).

  step                                   output of stage m
  mean over time                         h x w x C
  side_prep: 3x3 convolution             h x w x 16   saliency features S_m
  score: 1x1 convolution                 h x w        activation A_m
  softmax over all positions             h x w        attention M_m

The network scales the stage's output by 1 + M_m, and upsamples S_m and A_m to the input size.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from stavis_jax.models.initialization import LOGIT_BIAS
from stavis_jax.models.layers import Conv2D
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.ops.clip_pairs import unpaired
from stavis_jax.ops.upsampling import bilinear_kernel, upsample_transposed
from stavis_jax.ops.video import Video, time_mean

SALIENCY_CHANNELS = 16


class StageSaliency(NamedTuple):
    """The saliency of one stage, at its own resolution h x w."""

    features: jax.Array  # S_m [B, h, w, 16]
    activation: jax.Array  # A_m [B, h, w], logits
    attention: jax.Array  # M_m [B, h, w], sums to 1 over a map


def spatial_softmax(activation: jax.Array) -> jax.Array:
    """Returns M = exp(A) / sum over the h*w positions of exp(A), [B, h, w]."""
    return jax.nn.softmax(activation, axis=(1, 2))


class DeeplySupervisedAttention(nnx.Module):
    """The module of stage m.

    Its upsampling kernels start bilinear and are trained, as in the authors' released checkpoints: `upsample_features`
    [2s, 2s, 16, 16] for S_m and `upsample_activation` [2s, 2s, 1, 1] for A_m, with stride s = 2^m.
    """

    def __init__(self, stage: int, channels: int, *, rngs: nnx.Rngs):
        self.side_prep = Conv2D(channels, SALIENCY_CHANNELS, 3, rngs=rngs)
        self.score = Conv2D(SALIENCY_CHANNELS, 1, 1, bias=LOGIT_BIAS, rngs=rngs)
        kernel = bilinear_kernel(2**stage)[:, :, None, None]
        identity = np.eye(SALIENCY_CHANNELS, dtype=np.float32)[None, None]
        self.upsample_features = nnx.Param(jnp.asarray(kernel * identity))
        self.upsample_activation = nnx.Param(jnp.asarray(kernel))
        self.form = TEXTBOOK

    def __call__(self, video: Video) -> StageSaliency:
        means = unpaired(time_mean(video), self.side_prep.kernel.shape[2])
        return self.of_means(means, jax.tree.leaves(video)[0].dtype)

    def of_means(self, means: jax.Array, dtype: DTypeLike) -> StageSaliency:
        """Computes the saliency from the mean over time, float32 [B, h, w, C], of a video in `dtype`."""
        features = self.side_prep(means, self.factor_dtype(dtype))  # [B, h, w, 16]
        activation = self.score(features)[..., 0]  # [B, h, w]
        return StageSaliency(features, activation, spatial_softmax(activation))

    def factor_dtype(self, dtype: DTypeLike) -> DTypeLike:
        """Returns the number format to which the first convolution rounds its factors, for a video in `dtype`."""
        return dtype if self.form.rounded_side_prep else jnp.float32

    def upsampled(self, x: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
        """Upsamples an array of this stage, [B, h, w, C], to [B, H, W, D] with a transposed convolution's kernel."""
        return upsample_transposed(x, kernel, size, self.form.upsampling)
