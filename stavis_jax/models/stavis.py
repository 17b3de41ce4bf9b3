"""STAViS, the whole network (paper, Figure 2).

For ResNet-50, B clips of 16 x 112 x 112 and B waveforms:

  stage                 input                      output
  stem                  clip                       16 x 56 x 56 x 64
  DSAM 1, max pool      stem                       8 x 28 x 28 x 64
  layer1, DSAM 2        pool                       8 x 28 x 28 x 256
  layer2, DSAM 3        layer1                     4 x 14 x 14 x 512
  layer3, DSAM 4        layer2                     2 x 7 x 7 x 1024
  SoundNet              waveform                   1024
  localisation          layer2 before DSAM 3,      14 x 14 x K
                        SoundNet
  fusion                DSAM 1 to 4, localisation  112 x 112
"""

import dataclasses
from typing import NamedTuple

import jax
from flax import nnx

from stavis_jax.models import fusion
from stavis_jax.models.attention import DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.layers import BatchNorm, Conv1D, Conv2D, Conv3D
from stavis_jax.models.localization import HiddenFeatures
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, ResNet3D, ShortcutType, stage_channels
from stavis_jax.models.soundnet import SoundNet
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.clip_pairs import paired
from stavis_jax.ops.pooling import max_pool3d, pool_chunks
from stavis_jax.ops.time_chunks import TimeChunks
from stavis_jax.ops.video import Video, lay_out, map_frames, num_frames, scale_by_map, time_mean


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Describes a network: a variant (one of fusion.VARIANTS), a ResNet depth and a shortcut type.

    Raises:
      ValueError: a value is not on its list; the message gives the list.
    """

    variant: str = "l3mul-s3"
    depth: int = 50
    shortcut: ShortcutType = "B"

    def __post_init__(self) -> None:
        for name, choices in (
            ("variant", tuple(fusion.VARIANTS)),
            ("depth", tuple(BLOCKS_OF_DEPTH)),
            ("shortcut", ("A", "B")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {', '.join(map(str, choices))}")


class Outputs(NamedTuple):
    """The network's outputs for a batch of clips."""

    logits: jax.Array  # [B, H, W]; saliency = sigmoid(logits)
    side_logits: tuple[jax.Array, ...]  # 4 x [B, H, W] for `visual`, otherwise ()
    attention: tuple[jax.Array, ...]  # 4 x [B, h, w], each sums to 1
    localization: jax.Array | None  # [B, h, w, K], before upsampling; None without sound
    hidden: tuple[jax.Array, jax.Array] | None = None  # h_v [B, h, w, 128], h_a [B, 128]; in training


class Stavis(nnx.Module):
    """The network of one variant.

    A variant with sound keeps the visual heads (`fuse` and the stages' activation kernels). They get no gradient there,
    but its checkpoint then holds what the authors' files hold.

    Attributes:
      num_devices: over how many devices a batch is split. It only decides which clips are side by side, and how chunks
        of time are ordered, so that no device needs what another one has.
    """

    def __init__(self, config: NetworkConfig, *, rngs: nnx.Rngs, form: BackendForm | None = None):
        """Draws starting values.

        Args:
          config: the network's variant, depth and shortcut type.
          rngs: random numbers for the starting values.
          form: how it computes; by default the fastest form to train on JAX's default backend.
        """
        variant, channels = fusion.VARIANTS[config.variant], stage_channels(config.depth)
        self.config, self.form, self.num_devices = config, form or BackendForm.for_platform(), 1
        self.trunk = ResNet3D(config.depth, config.shortcut, rngs=rngs)
        self.attention1 = DeeplySupervisedAttention(1, channels[0], rngs=rngs)
        self.attention2 = DeeplySupervisedAttention(2, channels[1], rngs=rngs)
        self.attention3 = DeeplySupervisedAttention(3, channels[2], rngs=rngs)
        self.attention4 = DeeplySupervisedAttention(4, channels[3], rngs=rngs)
        self.fuse = fusion.VisualFusion(rngs=rngs)
        if variant.localization and variant.fusion:
            self.soundnet = SoundNet(rngs=rngs)
            self.hidden = HiddenFeatures(channels[2], rngs=rngs)
            self.localization = variant.localization(variant.num_maps, rngs=rngs)
            self.fuseav = variant.fusion(variant.num_maps, rngs=rngs)
        self.set_attributes(BatchNorm, Conv1D, Conv2D, Conv3D, DeeplySupervisedAttention, form=self.form)

    def __call__(self, clip: jax.Array, waveform: jax.Array | None, *, train: bool = False) -> Outputs:
        """Runs the network.

        Args:
          clip: [B, T, H, W, 3], float32, RGB in [0, 255] minus the ActivityNet mean. T = 16 in the paper. H and W may
            have any values; multiples of 16 avoid cropping.
          waveform: [B, S] at 22,050 Hz in [-256, 256], Hann-windowed; S = 35,280 in the paper. `visual` ignores it.
          train: whether BatchNorm uses the batch's statistics and updates the running ones.

        Returns:
          Outputs at H x W.
        """
        size = clip.shape[2], clip.shape[3]
        chunks = TimeChunks.for_batch(clip.shape[0], clip.shape[1], self.num_devices) if self.form.time_chunks else None
        if chunks:
            stage1, x = self._front_of_chunks(clip, chunks, train)
            return self._after_pool(stage1, x, waveform, size, train)
        stem = self.trunk.stem(lay_out(clip, self.form.layout), train)  # [B, 16, 56, 56, 64]
        return self.after_stem(stem, waveform, size, train=train)

    def after_stem(
        self, stem: Video, waveform: jax.Array | None, size: tuple[int, int], *, train: bool = False
    ) -> Outputs:
        """Runs the layers after the stem on its output [B, T, ceil(H/2), ceil(W/2), 64]; `size` is (H, W)."""
        stage1 = self.attention1(stem)
        x = max_pool3d(scale_by_map(stem, 1 + stage1.attention), self.form.max_pool)  # [B, 8, 28, 28, 64]
        if self.form.clip_pairs:
            x = map_frames(lambda frames: paired(frames, self.num_devices), x)
        return self._after_pool(stage1, x, waveform, size, train)

    def _front_of_chunks(self, clip: jax.Array, chunks: TimeChunks, train: bool) -> tuple[StageSaliency, jax.Array]:
        """Returns the first stage's saliency, and the pooled video [B, 8, 28, 28, 64] or [B/2, 8, 28, 28, 128]."""
        frames = self.trunk.stem_of_chunks(clip, chunks, train)
        means = time_mean(frames).astype(self.attention1.factor_dtype(self.trunk.dtype))
        stage1 = self.attention1.of_means(chunks.mean(means), self.trunk.dtype)
        factor = chunks.spread(1 + stage1.attention)
        return stage1, pool_chunks(frames, factor, chunks, in_pairs=self.form.clip_pairs)

    def _after_pool(
        self, stage1: StageSaliency, x: Video, waveform: jax.Array | None, size: tuple[int, int], train: bool
    ) -> Outputs:
        stages, middle = self._visual_path(stage1, x, train)
        attention = self.attention1, self.attention2, self.attention3, self.attention4
        attention_maps = tuple(stage.attention for stage in stages)
        inputs = fusion.FusionInputs(stages, attention, self.fuse, None, None, size)
        if not fusion.VARIANTS[self.config.variant].uses_sound:
            return Outputs(inputs.visual_map(), inputs.side_logits(), attention_maps, None)
        assert waveform is not None, f"{self.config.variant} uses the waveform"
        sound = self.soundnet(waveform, train)  # [B, 1024]
        hidden = self.hidden(middle, sound)  # [B, 14, 14, 128], [B, 128]
        inputs = dataclasses.replace(inputs, localization=self.localization, hidden=hidden)
        return Outputs(self.fuseav(inputs), (), attention_maps, self.localization(*hidden), hidden)

    def _visual_path(self, stage1: StageSaliency, x: Video, train: bool) -> tuple[list[StageSaliency], jax.Array]:
        """Returns the four stages' saliency, and the mean of layer2's two middle time steps."""
        x = self.trunk.layer1(x, train)  # [B, 8, 28, 28, 256]
        stage2 = self.attention2(x)
        x = self.trunk.layer2(x, train, 1 + stage2.attention)  # [B, 4, 14, 14, 512]
        stage3 = self.attention3(x)
        centre = num_frames(x) // 2
        middle = time_mean(x, max(centre - 1, 0), centre + 1)  # before DSAM 3, as in the released network
        x = self.trunk.layer3(x, train, 1 + stage3.attention)  # [B, 2, 7, 7, 1024]
        stage4 = self.attention4(x)  # its attention is an output only
        return [stage1, stage2, stage3, stage4], middle
