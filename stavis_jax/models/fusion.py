"""Fusion of picture and sound to one saliency map: the 13 systems of Tables 4 and 5.

  system           logits
  visual           S_v = conv(V), and four side outputs
  l*-audio-only    conv(L^u)
  l*-s1            w_v S_v + w_a L^u + b
  l*-s2, l3mul-s2  conv(V * (1 + L^u))
  l3mul-s3         conv(concat(V, L^u))
  l3mul-fus        w_1 S_v + w_2 audio-only + w_3 S3 + b

V [B, H, W, 64] are the upsampled saliency features of the four stages, L^u [B, H, W, K] the upsampled localisation
maps, conv is a 1x1 convolution to one channel. `visual` and `l3mul-s3` are the released networks. The others follow the
paper's description (section 3.4); no code or checkpoint of them was released.

All these steps are linear, so a 1x1 convolution is applied before the upsampling wherever no other step lies between
them. The gradients still reach both factors, and few tensors with many channels are made at full size.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from stavis_jax.models.attention import SALIENCY_CHANNELS, DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.initialization import LOGIT_BIAS
from stavis_jax.models.layers import Conv2D
from stavis_jax.models.localization import MULTIPLE_MAPS, Bilinear, Cosine, InnerProduct, Localization
from stavis_jax.ops.upsampling import upsample_bilinear

VISUAL_CHANNELS = 4 * SALIENCY_CHANNELS  # channels of V
STAGE_CHANNELS = [slice(c, c + SALIENCY_CHANNELS) for c in range(0, VISUAL_CHANNELS, SALIENCY_CHANNELS)]  # slices of V


@dataclasses.dataclass(frozen=True)
class FusionInputs:
    """Inputs of a fusion, before upsampling.

    Attributes:
      stages: saliency features and activations of the four stages.
      attention: the four modules that made them; they hold the upsampling kernels.
      fuse: the fusion that makes S_v.
      localization: the localisation method; None without sound.
      hidden: h_v [B, h, w, 128] and h_a [B, 128]; None without sound.
      size: height and width of the logits.
    """

    stages: Sequence[StageSaliency]
    attention: Sequence[DeeplySupervisedAttention]
    fuse: "VisualFusion"
    localization: Localization | None
    hidden: tuple[jax.Array, jax.Array] | None
    size: tuple[int, int]

    def visual_map(self) -> jax.Array:
        """Returns S_v [B, H, W]."""
        return self.fuse(self)

    def weighted_features(self, weights: jax.Array) -> jax.Array:
        """Returns sum_c w_c V_c [B, H, W], weights [64].

        The weights and each stage's 16 -> 16 upsampling kernel are first combined to one 16 -> 1 kernel.
        """
        terms = []
        for share, stage, module in zip(STAGE_CHANNELS, self.stages, self.attention, strict=True):
            kernel = jnp.einsum("yxio,o->yxi", module.upsample_features[...], weights[share])[..., None]
            terms.append(module.upsampled(stage.features, kernel, self.size)[..., 0])
        return sum(terms[1:], terms[0])

    def weighted_localization(self, weights: jax.Array) -> jax.Array:
        """Returns sum_k w_k L^u_k [B, H, W], weights [K]."""
        assert self.localization is not None and self.hidden is not None, "without sound there are no localisation maps"
        return upsample_bilinear(self.localization.weighted_sum(*self.hidden, weights), self.size)

    def weighted_products(self, weights: jax.Array) -> jax.Array:
        """Returns sum_c w_c V_c L^u_c [B, H, W] for 64 localisation maps, one stage's 16 channels at a time."""
        assert self.localization is not None and self.hidden is not None, "without sound there are no localisation maps"
        maps = self.localization(*self.hidden)  # [B, h, w, 64]
        terms = []
        for share, stage, module in zip(STAGE_CHANNELS, self.stages, self.attention, strict=True):
            features = module.upsampled(stage.features, module.upsample_features[...], self.size)
            located = jax.vmap(lambda x: upsample_bilinear(x, self.size), -1, -1)(maps[..., share])
            terms.append(jnp.einsum("bhwc,bhwc,c->bhw", features, located, weights[share]))
        return sum(terms[1:], terms[0])

    def side_logits(self) -> tuple[jax.Array, ...]:
        """Returns the four stages' activations A_m, upsampled: 4 x [B, H, W]."""
        return tuple(
            module.upsampled(stage.activation[..., None], module.upsample_activation[...], self.size)[..., 0]
            for stage, module in zip(self.stages, self.attention, strict=True)
        )


class Fusion(nnx.Module):
    """A system's last module. It ends in a 1x1 convolution to one channel."""

    def __init__(self, channels: int, *, bias: float = LOGIT_BIAS, rngs: nnx.Rngs):
        self.conv = Conv2D(channels, 1, 1, bias=bias, rngs=rngs)

    @property
    def weights(self) -> jax.Array:
        """Weights [channels] of the convolution."""
        return self.conv.kernel[...][0, 0, :, 0]

    @property
    def bias(self) -> jax.Array:
        return self.conv.bias[...].reshape(1, 1, 1)

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        """Returns logits [B, H, W]."""
        raise NotImplementedError

    def localization_weights(self) -> jax.Array:
        """Returns the weights [K] of the localisation maps in the logits, to show them as one map."""
        raise NotImplementedError


class VisualFusion(Fusion):
    """S_v = conv(V)."""

    def __init__(self, *, rngs: nnx.Rngs):
        super().__init__(VISUAL_CHANNELS, rngs=rngs)

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        return inputs.weighted_features(self.weights) + self.bias


class AudioOnly(Fusion):
    """conv(L^u)."""

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        return inputs.weighted_localization(self.weights) + self.bias

    def localization_weights(self) -> jax.Array:
        return self.weights


class WeightedSum(Fusion):
    """S1: w_v S_v + w_a L^u + b. It starts as S_v + L^u, which keeps what the visual training learned."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        super().__init__(1 + localization_maps, bias=0.0, rngs=rngs)
        self.conv.kernel[...] = jnp.ones_like(self.conv.kernel[...])

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        visual = self.weights[0] * inputs.visual_map()
        return visual + inputs.weighted_localization(self.localization_weights()) + self.bias

    def localization_weights(self) -> jax.Array:
        return self.weights[1:]


class LocalizationAttention(Fusion):
    """S2: conv(V * (1 + L^u)), with one localisation map for all 64 channels or one map per channel."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        super().__init__(VISUAL_CHANNELS, rngs=rngs)
        self.localization_maps = localization_maps

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        features = inputs.weighted_features(self.weights)
        if self.localization_maps == 1:
            return features * (1 + inputs.weighted_localization(jnp.ones(1))) + self.bias
        return features + inputs.weighted_products(self.weights) + self.bias

    def localization_weights(self) -> jax.Array:
        """Returns equal weights: how much a map adds to the logits depends on the picture."""
        return jnp.full((self.localization_maps,), 1 / self.localization_maps, jnp.float32)


class Concatenation(Fusion):
    """S3: conv(concat(V, L^u)), 64 + K channels."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        super().__init__(VISUAL_CHANNELS + localization_maps, rngs=rngs)

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        visual = inputs.weighted_features(self.weights[:VISUAL_CHANNELS])
        return visual + inputs.weighted_localization(self.localization_weights()) + self.bias

    def localization_weights(self) -> jax.Array:
        return self.weights[VISUAL_CHANNELS:]


class SumOfMaps(Fusion):
    """fus: w_1 S_v + w_2 audio-only + w_3 S3 + b. It starts as their mean."""

    def __init__(self, localization_maps: int, *, rngs: nnx.Rngs):
        self.audio_only = AudioOnly(localization_maps, rngs=rngs)
        self.concatenation = Concatenation(localization_maps, rngs=rngs)
        super().__init__(3, bias=0.0, rngs=rngs)
        self.conv.kernel[...] = jnp.full_like(self.conv.kernel[...], 1 / 3)

    def __call__(self, inputs: FusionInputs) -> jax.Array:
        maps = inputs.visual_map(), self.audio_only(inputs), self.concatenation(inputs)
        return sum(self.weights[i] * saliency_map for i, saliency_map in enumerate(maps)) + self.bias

    def localization_weights(self) -> jax.Array:
        audio_only, concatenation = self.audio_only.localization_weights(), self.concatenation.localization_weights()
        return self.weights[1] * audio_only + self.weights[2] * concatenation


@dataclasses.dataclass(frozen=True)
class Variant:
    """One system: a localisation method with K maps and a fusion. Without both, it uses the picture alone."""

    localization: type[Localization] | None = None
    num_maps: int = 0
    fusion: type[Fusion] | None = None

    @property
    def uses_sound(self) -> bool:
        return self.fusion is not None

    @property
    def uses_visual_map(self) -> bool:
        """Whether the logits depend on S_v's own convolution."""
        return self.fusion in (None, WeightedSum, SumOfMaps)

    @property
    def uses_features(self) -> bool:
        """Whether the logits depend on the saliency features."""
        return self.fusion is not AudioOnly


VARIANTS = {
    "visual": Variant(),
    "l1-audio-only": Variant(Cosine, 1, AudioOnly),
    "l2-audio-only": Variant(InnerProduct, 1, AudioOnly),
    "l3-audio-only": Variant(Bilinear, 1, AudioOnly),
    "l1-s1": Variant(Cosine, 1, WeightedSum),
    "l2-s1": Variant(InnerProduct, 1, WeightedSum),
    "l3-s1": Variant(Bilinear, 1, WeightedSum),
    "l1-s2": Variant(Cosine, 1, LocalizationAttention),
    "l2-s2": Variant(InnerProduct, 1, LocalizationAttention),
    "l3-s2": Variant(Bilinear, 1, LocalizationAttention),
    "l3mul-s2": Variant(Bilinear, MULTIPLE_MAPS, LocalizationAttention),
    "l3mul-s3": Variant(Bilinear, MULTIPLE_MAPS, Concatenation),
    "l3mul-fus": Variant(Bilinear, MULTIPLE_MAPS, SumOfMaps),
}
