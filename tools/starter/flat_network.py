"""Defines the network `visual` of depth 10 for single frames in PyTorch. All convolutions are 2D.

A CPU with bfloat16 matrix units trains it several times as fast as JAX does. `to_flat_weights` converts its weights to
stavis_jax: it puts each 2D kernel into the middle frame of a 3D kernel of zeros.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from data_pipelines.inputs.windows import MEAN_RGB
from stavis_jax.models.initialization import HEAD_STD, LOGIT_BIAS

WIDTHS = (64, 128, 256)
CHANNELS = (64, 64, 128, 256)  # of the four stages
SALIENCY_CHANNELS = 16


class Block(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Module()
        self.has_shortcut = stride > 1
        if self.has_shortcut:
            self.shortcut.conv = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut.bn = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.shortcut.bn(self.shortcut.conv(x)) if self.has_shortcut else x))


class Attention(nn.Module):
    """Saliency features, activation and attention of a stage."""

    def __init__(self, stage: int, channels: int):
        super().__init__()
        self.side_prep = nn.Conv2d(channels, SALIENCY_CHANNELS, 3, padding=1)
        self.score = nn.Conv2d(SALIENCY_CHANNELS, 1, 1)
        nn.init.constant_(self.score.bias, LOGIT_BIAS)
        stride = 2**stage
        triangle = 1 - (torch.arange(2 * stride) + 0.5 - stride).abs() / stride
        kernel = torch.outer(triangle, triangle)
        self.upsample_activation = nn.Parameter(kernel[None, None].clone())  # [in, out, 2s, 2s]
        self.upsample_features = nn.Parameter(torch.eye(SALIENCY_CHANNELS)[..., None, None] * kernel)
        self.stride = stride

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.side_prep(x.float())
        activation = self.score(features)
        return features, activation, torch.softmax(activation.flatten(1), 1).view_as(activation)

    def upsampled(self, x: torch.Tensor, kernel: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Upsamples [B, C, h, w] to [B, H, W] with a kernel [C, 1, 2s, 2s]."""
        full = F.conv_transpose2d(x, kernel, stride=self.stride)[:, 0]
        top, left = (full.shape[1] - size[0]) // 2, (full.shape[2] - size[1]) // 2
        return full[:, top : top + size[0], left : left + size[1]]


class FlatVisual(nn.Module):
    """Maps frames [B, 3, H, W], RGB in 0..255, to logits [B, H, W] and the four side logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1, self.layer2, self.layer3 = (
            Block(channels, width, stride)
            for channels, width, stride in zip((64, *WIDTHS), WIDTHS, (1, 2, 2), strict=False)
        )
        self.attention = nn.ModuleList(Attention(stage, count) for stage, count in enumerate(CHANNELS, start=1))
        self.fuse = nn.Conv2d(4 * SALIENCY_CHANNELS, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                fan_out = module.out_channels * module.kernel_size[0] ** 2
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            elif isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=HEAD_STD)
                nn.init.zeros_(module.bias)
        for bias in (self.fuse.bias, *(stage.score.bias for stage in self.attention)):
            nn.init.constant_(bias, LOGIT_BIAS)
        self.register_buffer("mean", torch.tensor(MEAN_RGB)[:, None, None], persistent=False)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        size = frames.shape[2], frames.shape[3]
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=self.training):
            x = (frames - self.mean).contiguous(memory_format=torch.channels_last)
            x = F.relu(self.bn1(self.conv1(x)))
        stages = [self.attention[0](x)]
        x = F.max_pool2d(x * (1 + stages[0][2]).to(x.dtype), 3, 2, 1)
        for number, layer in enumerate((self.layer1, self.layer2, self.layer3), start=1):
            with torch.autocast(frames.device.type, torch.bfloat16, enabled=self.training):
                x = layer(x)
            stages.append(self.attention[number](x))
            x = x * (1 + stages[-1][2]).to(x.dtype)
        weights = self.fuse.weight.reshape(4, SALIENCY_CHANNELS)
        logits, sides = self.fuse.bias.reshape(1, 1, 1), []
        for module, (features, activation, _), share in zip(self.attention, stages, weights, strict=True):
            kernel = torch.einsum("ioyx,o->iyx", module.upsample_features, share)[:, None]
            logits = logits + module.upsampled(features, kernel, size)
            sides.append(module.upsampled(activation, module.upsample_activation, size))
        return logits, sides


def to_flat_weights(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Converts the state_dict of a `FlatVisual` to arrays with the names and shapes of stavis_jax."""
    weights = {}
    for name, value in state.items():
        *path, kind = name.split(".")
        if kind == "num_batches_tracked":
            continue
        array = value.detach().float().cpu().numpy()
        if path[0] == "attention":
            path = [f"attention{int(path[1]) + 1}", *path[2:]]
        elif path[0] == "fuse":
            path = ["fuse", "conv"]
        else:
            path = ["trunk", path[0], *(["block0"] if path[0].startswith("layer") else []), *path[1:]]
        if array.ndim == 4 and kind == "weight":
            array, kind = array.transpose(2, 3, 1, 0), "kernel"
            if path[0] == "trunk":
                array = _middle_frame(array)
        elif array.ndim == 4:  # of a transposed convolution: [in, out, H, W]
            array = array.transpose(2, 3, 0, 1)
        kind = {"weight": "scale", "running_mean": "mean", "running_var": "var"}.get(kind, kind)
        weights["/".join([*path, kind])] = np.ascontiguousarray(array)
    return weights


def _middle_frame(kernel: np.ndarray) -> np.ndarray:
    """Returns a 2D kernel [H, W, C, D] as a 3D one of equal sides, [H, H, W, C, D]."""
    frames = np.zeros((len(kernel), *kernel.shape), kernel.dtype)
    frames[len(kernel) // 2] = kernel
    return frames
