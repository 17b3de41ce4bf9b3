"""The systems of Tables 4 and 5, as a table: which localisation, and how picture and sound become one map.

Every stage after the saliency features is linear, so the final 1x1 convolution is applied before the upsampling: no
full-resolution tensor of many channels is ever made, and gradients still reach both factors.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from stavis_jax.models.attention import SALIENCY_CHANNELS, DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.initialization import LOGIT_BIAS
from stavis_jax.models.layers import Conv2D
from stavis_jax.models.localization import MULTIPLE_MAPS, BilinearLocalization
from stavis_jax.ops.upsampling import upsample_bilinear, upsample_transposed

NUM_STAGES = 4
VISUAL_CHANNELS = NUM_STAGES * SALIENCY_CHANNELS

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Variant:
    """One system. `fusion` names the module that makes the logits; None: the picture alone."""

    localization_maps: int
    fusion: str | None

    @property
    def uses_sound(self) -> bool:
        return self.fusion is not None


VARIANTS = {
    "visual": Variant(localization_maps=0, fusion=None),
    "l3mul-s3": Variant(localization_maps=MULTIPLE_MAPS, fusion="concatenation"),
}


class StageFusion(nnx.Module):
    """S_v (`fuse`): 1x1 convolution to one channel of the four stages' upsampled saliency features."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv = Conv2D(VISUAL_CHANNELS, 1, 1, bias=LOGIT_BIAS, rngs=rngs)

    def __call__(
        self, stages: Sequence[StageSaliency], attention: Sequence[DeeplySupervisedAttention], size: Size
    ) -> jax.Array:
        weights = self.conv.kernel[...][0, 0, :, 0]
        return project_features(stages, attention, weights, size) + self.conv.bias[...].reshape(1, 1, 1)


class ConcatenationFusion(nnx.Module):
    """S3 (`fuseav`): 1x1 convolution to one channel of concat(V, L^u), 64 visual and K localisation channels."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        self.conv = Conv2D(VISUAL_CHANNELS + localization_maps, 1, 1, bias=LOGIT_BIAS, rngs=rngs)

    def __call__(
        self,
        stages: Sequence[StageSaliency],
        attention: Sequence[DeeplySupervisedAttention],
        localization: BilinearLocalization,
        hidden: tuple[jax.Array, jax.Array],
        size: Size,
    ) -> jax.Array:
        weights = self.conv.kernel[...][0, 0, :, 0]
        visual = project_features(stages, attention, weights[:VISUAL_CHANNELS], size)
        located = localization.weighted_sum(*hidden, weights[VISUAL_CHANNELS:])  # [B, h, w]
        return visual + upsample_bilinear(located, size) + self.conv.bias[...].reshape(1, 1, 1)


def project_features(
    stages: Sequence[StageSaliency],
    attention: Sequence[DeeplySupervisedAttention],
    weights: jax.Array,
    size: Size,
) -> jax.Array:
    """The 64 upsampled saliency channels V summed with weights [64]: -> [B, H, W].

    Weights and each stage's 16 -> 16 upsampling kernel become one 16 -> 1 kernel first.
    """
    total = 0.0
    for m, (stage, module) in enumerate(zip(stages, attention, strict=True)):
        stage_weights = weights[m * SALIENCY_CHANNELS : (m + 1) * SALIENCY_CHANNELS]
        kernel = jnp.einsum("yxio,o->yxi", module.upsample_features[...], stage_weights)[..., None]
        total = total + upsample_transposed(stage.features, kernel, size)[..., 0]
    return total


def side_logits(
    stages: Sequence[StageSaliency], attention: Sequence[DeeplySupervisedAttention], size: Size
) -> tuple[jax.Array, ...]:
    """The four stages' activations A_m, upsampled: 4 x [B, H, W]."""
    return tuple(
        upsample_transposed(stage.activation[..., None], module.upsample_activation[...], size)[..., 0]
        for stage, module in zip(stages, attention, strict=True)
    )
