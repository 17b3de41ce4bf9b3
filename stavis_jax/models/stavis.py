"""STAViS: clip and waveform -> saliency logits (paper, Figure 2)."""

import dataclasses
from typing import NamedTuple

import jax
from flax import nnx

from stavis_jax.models import fusion
from stavis_jax.models.attention import DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.localization import HiddenFeatures
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, ResNet3D, ShortcutType, stage_channels
from stavis_jax.models.soundnet import SoundNet
from stavis_jax.ops.pooling import max_pool3d
from stavis_jax.ops.video import Layout, Video, fastest_layout, lay_out, num_frames, scale_by_map, time_mean


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Which network: one of fusion.VARIANTS, a ResNet depth, a shortcut type.

    Raises:
      ValueError: a name or number that is not on the list; the message gives the list.
    """

    variant: str = "l3mul-s3"
    depth: int = 50
    shortcut: ShortcutType = "B"

    def __post_init__(self):
        for value, choices, name in (
            (self.variant, tuple(fusion.VARIANTS), "variant"),
            (self.depth, tuple(BLOCKS_OF_DEPTH), "depth"),
            (self.shortcut, ("A", "B"), "shortcut"),
        ):
            if value not in choices:
                raise ValueError(f"{name} {value!r} is not one of {', '.join(map(str, choices))}")


class Outputs(NamedTuple):
    """What the network says of a batch of clips."""

    logits: jax.Array  # [B, H, W]; saliency = sigmoid
    side_logits: tuple[jax.Array, ...]  # `visual`: 4 x [B, H, W]; else ()
    attention: tuple[jax.Array, ...]  # 4 x [B, h, w], each sums to 1
    localization: jax.Array | None  # [B, h, w, K], before upsampling; None without sound


class Stavis(nnx.Module):
    """The network of one variant.

    A variant with sound keeps the visual heads too (`fuse`, the stages' activation kernels): they get no gradient
    there, but the checkpoint of either variant then holds what the authors' files hold.
    """

    def __init__(self, config: NetworkConfig, *, rngs: nnx.Rngs):
        variant, channels = fusion.VARIANTS[config.variant], stage_channels(config.depth)
        self.config = config
        self.trunk = ResNet3D(config.depth, config.shortcut, rngs=rngs)
        self.attention1 = DeeplySupervisedAttention(1, channels[0], rngs=rngs)
        self.attention2 = DeeplySupervisedAttention(2, channels[1], rngs=rngs)
        self.attention3 = DeeplySupervisedAttention(3, channels[2], rngs=rngs)
        self.attention4 = DeeplySupervisedAttention(4, channels[3], rngs=rngs)
        self.fuse = fusion.StageFusion(rngs=rngs)
        if variant.uses_sound:
            self.soundnet = SoundNet(rngs=rngs)
            self.hidden = HiddenFeatures(channels[2], rngs=rngs)
            self.localization = variant.new_localization(rngs)
            self.fuseav = variant.new_fusion(rngs)

    def __call__(
        self, clip: jax.Array, waveform: jax.Array, *, train: bool = False, layout: Layout | None = None
    ) -> Outputs:
        """Runs the network.

        Args:
          clip: [B, T, H, W, 3], float32, RGB in [0, 255] minus the ActivityNet mean. T = 16 in the paper; H and W any,
            multiples of 16 are not cropped.
          waveform: [B, S] at 22,050 Hz in [-256, 256], Hann-windowed; S = 35,280 in the paper. Unused by `visual`.
          train: BatchNorm uses the batch's statistics and moves the running ones.
          layout: how videos travel inside (ops/video.py); the backend's fastest by default.

        Returns:
          Outputs at H x W.
        """
        stem = self.trunk.stem(lay_out(clip, layout or fastest_layout()), train)  # [B, 16, 56, 56, 64]
        return self.after_stem(stem, waveform, clip.shape[2:4], train=train)

    def after_stem(
        self, stem: Video, waveform: jax.Array | None, size: tuple[int, int], *, train: bool = False
    ) -> Outputs:
        """The rest of the network, from the trunk's first features [B, T, ceil(H/2), ceil(W/2), 64]; `size`: (H, W)."""
        stages, middle = self._visual_path(stem, train)
        attention = (self.attention1, self.attention2, self.attention3, self.attention4)
        attention_maps = tuple(stage.attention for stage in stages)
        if not fusion.VARIANTS[self.config.variant].uses_sound:
            logits = self.fuse(stages, attention, size)
            return Outputs(logits, fusion.side_logits(stages, attention, size), attention_maps, None)
        sound = self.soundnet(waveform, train, as_columns=isinstance(stem, tuple))  # [B, 1024]
        hidden = self.hidden(middle, sound)  # [B, h, w, 128], [B, 128]
        evidence = fusion.Evidence(stages, attention, self.fuse, self.localization, hidden, size)
        return Outputs(self.fuseav(evidence), (), attention_maps, self.localization(*hidden))

    def _visual_path(self, x: Video, train: bool) -> tuple[list[StageSaliency], jax.Array]:
        """Stem -> the four stages' saliency, and layer2's two centre time steps averaged. Shapes are of 16x112x112."""
        stage1 = self.attention1(x)
        x = max_pool3d(scale_by_map(x, 1 + stage1.attention))  # [B, 8, 28, 28, 64]
        x = self.trunk.layer1(x, train)  # [B, 8, 28, 28, 256]
        stage2 = self.attention2(x)
        x = scale_by_map(x, 1 + stage2.attention)
        x = self.trunk.layer2(x, train)  # [B, 4, 14, 14, 512]
        stage3 = self.attention3(x)
        centre = num_frames(x) // 2
        middle = time_mean(x, max(centre - 1, 0), centre + 1)  # before this stage's attention, as the released weights
        x = scale_by_map(x, 1 + stage3.attention)
        x = self.trunk.layer3(x, train)  # [B, 2, 7, 7, 1024]
        stage4 = self.attention4(x)  # its attention is reported, not used
        return [stage1, stage2, stage3, stage4], middle
