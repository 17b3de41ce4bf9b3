"""The 13 systems of Tables 4 and 5, as a table: which localisation, and how picture and sound become one map.

`visual` and `l3mul-s3` are the released networks. The others follow the paper's description (section 3.4): there is no
code or checkpoint of theirs to compare with.

Every stage after the saliency features is linear, so the final 1x1 convolution is applied before the upsampling where
nothing comes between: gradients still reach both factors, and few tensors of many channels are made at full size.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from stavis_jax.models.attention import SALIENCY_CHANNELS, DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.initialization import LOGIT_BIAS
from stavis_jax.models.layers import Conv2D
from stavis_jax.models.localization import METHODS, MULTIPLE_MAPS, Localization
from stavis_jax.ops.upsampling import upsample_bilinear, upsample_transposed

NUM_STAGES = 4
VISUAL_CHANNELS = NUM_STAGES * SALIENCY_CHANNELS

Size = tuple[int, int]


class StageFusion(nnx.Module):
    """S_v (`fuse`): 1x1 convolution to one channel of the four stages' upsampled saliency features."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv = Conv2D(VISUAL_CHANNELS, 1, 1, bias=LOGIT_BIAS, rngs=rngs)

    def __call__(
        self, stages: Sequence[StageSaliency], attention: Sequence[DeeplySupervisedAttention], size: Size
    ) -> jax.Array:
        weights = self.conv.kernel[...][0, 0, :, 0]
        return project_features(stages, attention, weights, size) + self.conv.bias[...].reshape(1, 1, 1)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a fusion goes by: picture features V and localisation maps L, both still small, and how to upsample them."""

    stages: Sequence[StageSaliency]
    attention: Sequence[DeeplySupervisedAttention]
    fuse: StageFusion
    localization: Localization
    hidden: tuple[jax.Array, jax.Array]  # h_v [B, h, w, 128], h_a [B, 128]
    size: Size  # H, W of the map to be made

    def visual_map(self) -> jax.Array:
        """S_v, [B, H, W]."""
        return self.fuse(self.stages, self.attention, self.size)

    def features(self, weights: jax.Array) -> jax.Array:
        """V summed with weights [64]: [B, H, W]."""
        return project_features(self.stages, self.attention, weights, self.size)

    def located(self, weights: jax.Array) -> jax.Array:
        """L^u summed with weights [K]: [B, H, W]."""
        return upsample_bilinear(self.localization.weighted_sum(*self.hidden, weights), self.size)


class Fusion(nnx.Module):
    """What a system makes of its evidence."""

    def __call__(self, evidence: Evidence) -> jax.Array:
        """Logits [B, H, W]."""
        raise NotImplementedError

    def localization_weights(self) -> jax.Array:
        """Weights [K] of the localisation maps in the logits, to show where the sound is as one map."""
        raise NotImplementedError


class AudioOnly(Fusion):
    """1x1 convolution to one channel of the localisation maps: conv(L^u)."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        self.conv = Conv2D(localization_maps, 1, 1, bias=LOGIT_BIAS, rngs=rngs)

    def __call__(self, evidence: Evidence) -> jax.Array:
        return evidence.located(self.localization_weights()) + _bias(self.conv)

    def localization_weights(self) -> jax.Array:
        return _weights(self.conv)


class WeightedSum(Fusion):
    """S1: w_v S_v + w_a L^u + b. It starts as S_v + L^u: what the visual training learned is kept."""

    def __init__(self, localization_maps: int = 1, *, rngs: nnx.Rngs):
        self.conv = Conv2D(1 + localization_maps, 1, 1, rngs=rngs)
        self.conv.kernel[...] = jnp.ones_like(self.conv.kernel[...])

    def __call__(self, evidence: Evidence) -> jax.Array:
        visual = _weights(self.conv)[0] * evidence.visual_map()
        return visual + evidence.located(self.localization_weights()) + _bias(self.conv)

    def localization_weights(self) -> jax.Array:
        return _weights(self.conv)[1:]


class LocalizationAttention(Fusion):
    """S2: conv(V * (1 + L^u)), a 1x1 convolution. One map for all 64 channels, or 64, channel by channel."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        self.localization_maps = localization_maps
        self.conv = Conv2D(VISUAL_CHANNELS, 1, 1, bias=LOGIT_BIAS, rngs=rngs)

    def __call__(self, evidence: Evidence) -> jax.Array:
        weights = _weights(self.conv)
        if self.localization_maps == 1:
            attended = evidence.features(weights) * (1 + evidence.located(jnp.ones(1)))
        else:
            attended = evidence.features(weights) + self._channel_by_channel(evidence, weights)
        return attended + _bias(self.conv)

    def _channel_by_channel(self, evidence: Evidence, weights: jax.Array) -> jax.Array:
        """sum_c w_c V_c L^u_c, a stage's 16 channels at a time."""
        maps = evidence.localization(*evidence.hidden)  # [B, h, w, 64]
        total = 0.0
        for m, (stage, module) in enumerate(zip(evidence.stages, evidence.attention, strict=True)):
            mine = slice(m * SALIENCY_CHANNELS, (m + 1) * SALIENCY_CHANNELS)
            features = upsample_transposed(stage.features, module.upsample_features[...], evidence.size)
            located = jax.vmap(lambda x: upsample_bilinear(x, evidence.size), -1, -1)(maps[..., mine])
            total = total + jnp.einsum("bhwc,bhwc,c->bhw", features, located, weights[mine])
        return total

    def localization_weights(self) -> jax.Array:
        """Their mean: what each map adds depends on the picture."""
        return jnp.full((self.localization_maps,), 1 / self.localization_maps, jnp.float32)


class Concatenation(Fusion):
    """S3 (`fuseav`): 1x1 convolution to one channel of concat(V, L^u), 64 visual and K localisation channels."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        self.conv = Conv2D(VISUAL_CHANNELS + localization_maps, 1, 1, bias=LOGIT_BIAS, rngs=rngs)

    def __call__(self, evidence: Evidence) -> jax.Array:
        visual = evidence.features(_weights(self.conv)[:VISUAL_CHANNELS])
        return visual + evidence.located(self.localization_weights()) + _bias(self.conv)

    def localization_weights(self) -> jax.Array:
        return _weights(self.conv)[VISUAL_CHANNELS:]


class SumOfMaps(Fusion):
    """fus: w_1 S_v + w_2 audio-only + w_3 S3 + b. It starts as their mean."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        self.audio_only = AudioOnly(localization_maps, rngs=rngs)
        self.concatenation = Concatenation(localization_maps, rngs=rngs)
        self.conv = Conv2D(3, 1, 1, rngs=rngs)
        self.conv.kernel[...] = jnp.full_like(self.conv.kernel[...], 1 / 3)

    def __call__(self, evidence: Evidence) -> jax.Array:
        weights = _weights(self.conv)
        maps = evidence.visual_map(), self.audio_only(evidence), self.concatenation(evidence)
        return sum(weights[i] * saliency for i, saliency in enumerate(maps)) + _bias(self.conv)

    def localization_weights(self) -> jax.Array:
        weights = _weights(self.conv)
        located = (self.audio_only.localization_weights(), self.concatenation.localization_weights())
        return weights[1] * located[0] + weights[2] * located[1]


def _weights(conv: Conv2D) -> jax.Array:
    """[C] of a 1x1 convolution to one channel."""
    return conv.kernel[...][0, 0, :, 0]


def _bias(conv: Conv2D) -> jax.Array:
    return conv.bias[...].reshape(1, 1, 1)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One system: a localisation method with K maps, and the module that makes the logits; or the picture alone."""

    localization: str = ""
    num_maps: int = 0
    fusion: type[Fusion] | None = None

    @property
    def uses_sound(self) -> bool:
        return self.fusion is not None

    @property
    def uses_visual_map(self) -> bool:
        """Whether S_v's own convolution is part of the logits."""
        return self.fusion in (None, WeightedSum, SumOfMaps)

    @property
    def uses_features(self) -> bool:
        """Whether the picture's saliency features are part of the logits."""
        return self.fusion is not AudioOnly

    def new_localization(self, rngs: nnx.Rngs) -> Localization:
        return METHODS[self.localization](self.num_maps, rngs=rngs)

    def new_fusion(self, rngs: nnx.Rngs) -> Fusion:
        return self.fusion(self.num_maps, rngs=rngs)


VARIANTS = (
    {"visual": Variant()}
    | {f"{method}-audio-only": Variant(method, 1, AudioOnly) for method in METHODS}
    | {f"{method}-s1": Variant(method, 1, WeightedSum) for method in METHODS}
    | {f"{method}-s2": Variant(method, 1, LocalizationAttention) for method in METHODS}
    | {
        "l3mul-s2": Variant("l3", MULTIPLE_MAPS, LocalizationAttention),
        "l3mul-s3": Variant("l3", MULTIPLE_MAPS, Concatenation),
        "l3mul-fus": Variant("l3", MULTIPLE_MAPS, SumOfMaps),
    }
)


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
