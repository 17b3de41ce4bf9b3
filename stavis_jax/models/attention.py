"""DSAM, the deeply supervised attention module after each stage of the trunk (paper, section 3.1)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from stavis_jax.models.initialization import LOGIT_BIAS
from stavis_jax.models.layers import Conv2D
from stavis_jax.ops.upsampling import bilinear_kernel
from stavis_jax.ops.video import Video, time_mean

SALIENCY_CHANNELS = 16


class StageSaliency(NamedTuple):
    """What a stage says about saliency, at its own resolution h x w."""

    features: jax.Array  # S_m [B, h, w, 16]
    activation: jax.Array  # A_m [B, h, w], logits
    attention: jax.Array  # M_m [B, h, w], sums to 1 over a map


def spatial_softmax(activation: jax.Array) -> jax.Array:
    """M = exp(A) / sum over the h*w positions of exp(A): [B, h, w] -> [B, h, w]."""
    return jax.nn.softmax(activation, axis=(1, 2))


class DeeplySupervisedAttention(nnx.Module):
    """Stage m's saliency features, activation and attention, from the mean over time of the stage's output.

    The upsampling kernels start bilinear and are trained, as in the authors' released checkpoints: `upsample_features`
    [2s, 2s, 16, 16] for S_m and `upsample_activation` [2s, 2s, 1, 1] for A_m, with stride s = 2^m.
    """

    def __init__(self, stage: int, channels: int, *, rngs: nnx.Rngs):
        self.side_prep = Conv2D(channels, SALIENCY_CHANNELS, 3, rngs=rngs)
        self.score = Conv2D(SALIENCY_CHANNELS, 1, 1, bias=LOGIT_BIAS, rngs=rngs)
        kernel = bilinear_kernel(2**stage)[:, :, None, None]
        each_to_itself = np.eye(SALIENCY_CHANNELS, dtype=np.float32)[None, None]
        self.upsample_features = nnx.Param(jnp.asarray(kernel * each_to_itself))
        self.upsample_activation = nnx.Param(jnp.asarray(kernel))

    def __call__(self, video: Video) -> StageSaliency:
        features = self.side_prep(time_mean(video))  # [B, h, w, 16]
        activation = self.score(features)[..., 0]  # [B, h, w]
        return StageSaliency(features, activation, spatial_softmax(activation))
