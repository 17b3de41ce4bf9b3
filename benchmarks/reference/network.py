"""Implements STAViS in PyTorch from the paper and its supplement, to measure and to test against.

The code is written as PyTorch users write networks: every 3D convolution is nn.Conv3d; all 64 or 128 channels are
upsampled to full size and concatenated; one 1x1 convolution turns them into the map. `l3mul-s3` also computes each
stage's own map, which its training does not use. Tensors have the names of the authors' checkpoints, without `module.`.
Starting values are PyTorch's defaults, so load weights.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812, its usual name
from torch import Tensor, nn

BLOCKS = {10: (1, 1, 1), 18: (2, 2, 2), 34: (3, 4, 6), 50: (3, 4, 6)}  # of layer1, layer2 and layer3, by depth
SALIENCY_CHANNELS, HIDDEN, LOCALIZATION_MAPS = 16, 128, 64
SOUND_LAYERS = (  # channels, kernel, pool after
    (16, 64, 8),
    (32, 32, 8),
    (64, 16, None),
    (128, 8, None),
    (256, 4, 4),
    (512, 4, None),
    (1024, 4, None),
)


class Outputs(NamedTuple):
    """Output of the network. logits [B, H, W]; side_logits: the maps of the four stages, each [B, H, W]."""

    logits: Tensor
    side_logits: tuple[Tensor, ...]


class BasicBlock(nn.Module):
    """Residual block of two 3x3x3 convolutions, for depths 10, 18 and 34."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """Residual block of 1x1x1, 3x3x3 and 1x1x1 convolutions, for depth 50."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(channels, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _downsample(channels: int, features: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels == features:
        return None
    return nn.Sequential(nn.Conv3d(channels, features, 1, stride, bias=False), nn.BatchNorm3d(features))


class Attention(nn.Module):
    """DSAM of a stage: features [B, C, T, h, w] to attention [B, 1, h, w], saliency features and activation.

    Saliency features and activation are upsampled to the size of the clip.
    """

    def __init__(self, stage: int, channels: int):
        super().__init__()
        self.side_prep = nn.Conv2d(channels, SALIENCY_CHANNELS, 3, padding=1)
        self.score_dsn = nn.Conv2d(SALIENCY_CHANNELS, 1, 1)
        kernel, stride = 2 ** (stage + 1), 2**stage
        self.upscale_ = nn.ConvTranspose2d(1, 1, kernel, stride, bias=False)
        self.upscale = nn.ConvTranspose2d(SALIENCY_CHANNELS, SALIENCY_CHANNELS, kernel, stride, bias=False)

    def forward(self, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        features, activation, attention = self.attention(x)
        return attention, *self.upsampled(features, activation, size)

    def attention(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns saliency features [B, 16, h, w], and activation and attention, both [B, 1, h, w]."""
        features = self.side_prep(x.mean(dim=2))
        activation = self.score_dsn(features)
        return features, activation, F.softmax(activation.flatten(1), dim=1).view_as(activation)

    def upsampled(self, features: Tensor, activation: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return _crop(self.upscale(features), size), _crop(self.upscale_(activation), size)


def _crop(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Crops around the centre. Of an odd surplus, the smaller part is cut at the left and the top."""
    top, left = (maps.shape[2] - size[0]) // 2, (maps.shape[3] - size[1]) // 2
    return maps[:, :, top : top + size[0], left : left + size[1]]


class Localization(nn.Module):
    """Localization L3mul: layer2's middle [B, C, h, w] and sound [B, 1024] to 64 bilinear maps [B, 64, h, w]."""

    def __init__(self, channels: int):
        super().__init__()
        self.affine_rgb = nn.Linear(channels, HIDDEN)
        self.affine_audio = nn.Linear(SOUND_LAYERS[-1][0], HIDDEN)
        self.w_a_rgb = nn.Bilinear(HIDDEN, HIDDEN, LOCALIZATION_MAPS)

    def forward(self, picture: Tensor, sound: Tensor) -> Tensor:
        batch, _, height, width = picture.shape
        seen = F.relu(self.affine_rgb(picture.flatten(2).transpose(1, 2)))  # [B, hw, 128]
        heard = F.relu(self.affine_audio(sound))[:, None].expand_as(seen)
        maps = self.w_a_rgb(seen, heard.contiguous())
        return maps.transpose(1, 2).reshape(batch, -1, height, width)


def sound_network() -> nn.Sequential:
    """Returns SoundNet up to conv7: [B, 1, 1, S] to [B, 1024, 1, S']."""
    layers, channels = [], 1
    for features, kernel, pool in SOUND_LAYERS:
        layers += [nn.Conv2d(channels, features, (1, kernel), (1, 2), padding=(0, kernel // 2))]
        layers += [nn.BatchNorm2d(features), nn.ReLU(inplace=True)]
        layers += [nn.MaxPool2d((1, pool))] if pool else []
        channels = features
    return nn.Sequential(*layers)


class TorchStavis(nn.Module):
    """STAViS in the variant `visual` or `l3mul-s3`. Both have the same tensors, as in the authors' files."""

    def __init__(self, variant: str = "l3mul-s3", depth: int = 50):
        super().__init__()
        if variant not in ("visual", "l3mul-s3"):
            raise ValueError(f"variant {variant!r} is neither visual nor l3mul-s3")
        self.variant, self.depth = variant, depth
        block = Bottleneck if depth >= 50 else BasicBlock
        stage2, stage3, stage4 = (width * block.expansion for width in (64, 128, 256))
        blocks = BLOCKS[depth]
        self.conv1 = nn.Conv3d(3, 64, 7, (1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d(3, 2, padding=1)
        self.layer1 = _layer(block, 64, 64, blocks[0], 1)
        self.layer2 = _layer(block, stage2, 128, blocks[1], 2)
        self.layer3 = _layer(block, stage3, 256, blocks[2], 2)
        channels = (64, stage2, stage3, stage4)
        self.score_dsn = nn.ModuleList(Attention(stage, count) for stage, count in enumerate(channels, start=1))
        self.fuse = nn.Conv2d(4 * SALIENCY_CHANNELS, 1, 1)
        self.fuseav = nn.Conv2d(4 * SALIENCY_CHANNELS + LOCALIZATION_MAPS, 1, 1)
        self.soundnet8 = sound_network()
        self.fusion3 = Localization(stage3)

    def forward(self, clip: Tensor, waveform: Tensor) -> Outputs:
        """Takes clip [B, 3, T, H, W] in [0, 255] minus the mean, and waveform [B, S] in [-256, 256]."""
        size = clip.shape[3:]
        x = self.stem(clip)
        attention1, saliency1, side1 = self.score_dsn[0](x, size)
        x = self.layer1(self.maxpool(attend(x, attention1)))
        attention2, saliency2, side2 = self.score_dsn[1](x, size)
        x = self.layer2(attend(x, attention2))
        centre = x.shape[2] // 2
        middle = x[:, :, max(centre - 1, 0) : centre + 1].mean(dim=2)
        attention3, saliency3, side3 = self.score_dsn[2](x, size)
        x = self.layer3(attend(x, attention3))
        _, saliency4, side4 = self.score_dsn[3](x, size)
        visual = torch.cat([saliency1, saliency2, saliency3, saliency4], dim=1)  # [B, 64, H, W]
        side_logits = tuple(side[:, 0] for side in (side1, side2, side3, side4))
        if self.variant == "visual":
            return Outputs(self.fuse(visual)[:, 0], side_logits)
        located = self.fusion3(middle, self.sound(waveform))
        located = F.interpolate(located, size=size, mode="bilinear", align_corners=False)
        return Outputs(self.fuseav(torch.cat([visual, located], dim=1))[:, 0], side_logits)

    def stem(self, clip: Tensor) -> Tensor:
        return self.relu(self.bn1(self.conv1(clip)))

    def sound(self, waveform: Tensor) -> Tensor:
        """Returns sound features [B, 1024] of a waveform [B, S]."""
        return self.soundnet8(waveform[:, None, None]).amax(dim=(2, 3))


def _layer(block: type[nn.Module], channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    features = width * block.expansion
    later = [block(features, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(block(channels, width, stride), *later)


def attend(x: Tensor, attention: Tensor) -> Tensor:
    """Returns video [B, C, T, h, w] times 1 + attention [B, 1, h, w]."""
    return x * (1 + attention[:, :, None])
