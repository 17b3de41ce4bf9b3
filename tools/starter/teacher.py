"""Predicts where people look in a picture, from the features of a network that was trained on ImageNet.

A small readout is trained on real gaze. It has 50,000 weights, so that 1,000 pictures are enough.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from tools.starter.backbone import CHANNELS, Backbone

WIDTH = 48
BLUR_CELLS = 1.6  # standard deviation of the blur of the map, in cells of 1/64 of the picture's longer side
GRID = 8  # pixels of the picture per cell of the map


class Readout(nn.Module):
    """Maps features to the logarithm of a density over the cells of a map."""

    def __init__(self, dropout: float = 0.25):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for channels in CHANNELS)
        self.narrow = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1, bias=False) for channels in CHANNELS)
        self.dropout = nn.Dropout2d(dropout)
        self.mix = nn.Sequential(
            nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.Conv2d(WIDTH, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 1)
        )
        self.centre = nn.Parameter(torch.tensor([1.5, 1.5]))  # how fast the prior falls off, vertically, horizontally
        self.blur = nn.Parameter(torch.tensor(BLUR_CELLS).log())

    def forward(self, features: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        """Returns log densities [B, h, w] for `size` = (h, w), whose exponentials sum to 1 over each map."""
        middle = features[2].shape[-2:]
        total = torch.zeros((), device=features[0].device)
        for norm, narrow, feature in zip(self.norms, self.narrow, features, strict=True):
            x = narrow(self.dropout(norm(feature.float())))
            x = F.avg_pool2d(x, 2) if x.shape[-1] > middle[-1] else F.interpolate(x, middle, mode="bilinear")
            total = total + x
        logits = F.interpolate(self.mix(total), size, mode="bicubic")
        logits = logits + self._prior(size, logits.device)
        density = self._blurred(torch.softmax(logits.flatten(1), 1).reshape(logits.shape))
        return torch.log(density[:, 0] / density.sum((2, 3)).unsqueeze(2) + 1e-9)

    def _prior(self, size: tuple[int, int], device: torch.device) -> torch.Tensor:
        rows, columns = ((torch.arange(n, device=device) + 0.5) / n * 2 - 1 for n in size)
        return -(self.centre[0] * rows[:, None] ** 2 + self.centre[1] * columns[None] ** 2)

    def _blurred(self, density: torch.Tensor) -> torch.Tensor:
        sigma = self.blur.exp() * max(density.shape[-2:]) / 64
        offsets = torch.arange(-8, 9, device=density.device)
        kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
        kernel = kernel / kernel.sum()
        padded = F.pad(density, (8, 8, 8, 8))
        return F.conv2d(F.conv2d(padded, kernel.reshape(1, 1, 1, -1)), kernel.reshape(1, 1, -1, 1))


class Teacher(nn.Module):
    """Backbone and readout."""

    def __init__(self, backbone: Backbone, readout: Readout):
        super().__init__()
        self.backbone, self.readout = backbone, readout

    @torch.inference_mode()
    def densities(self, pictures: torch.Tensor) -> torch.Tensor:
        """Returns densities [B, H / 8, W / 8] of pictures [B, 3, H, W], RGB in 0..255.

        They are means over the picture and its mirror image.
        """
        size = pictures.shape[-2] // GRID, pictures.shape[-1] // GRID
        both = torch.cat([pictures, pictures.flip(3)])
        one, mirrored = self.readout(self.backbone(both), size).exp().chunk(2)
        return (one + mirrored.flip(2)) / 2


def divergence(log_density: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Returns the mean Kullback-Leibler divergence of log densities [B, h, w] from targets that sum to 1."""
    return (torch.xlogy(target, target) - target * log_density).sum((1, 2)).mean()


def correlation(log_density: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Returns Pearson's correlation [B] of densities, given as logarithms [B, h, w], with targets [B, h, w]."""
    a, b = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (log_density.exp(), target))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-12)


def train_readout(
    features: Sequence[torch.Tensor], targets: torch.Tensor, *, epochs: int = 10, batch: int = 16, seed: int = 0
) -> Readout:
    """Trains a readout by Adam, whose rate falls as a cosine.

    Args:
      features: of N pictures, [N, C, h, w] for each stage.
      targets: real densities [N, H / 8, W / 8], each with the sum 1.
      epochs: fixed beforehand by cross-validation within the training pictures.
      batch: pictures per step.
      seed: decides start and order.
    """
    torch.manual_seed(seed)
    readout = Readout().to(targets.device).train()
    optimizer = torch.optim.AdamW(readout.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * (len(targets) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for _ in range(epochs):
        order = torch.randperm(len(targets)).to(targets.device)
        for rows in order.split(batch)[: len(targets) // batch]:
            log_density = readout([stage[rows] for stage in features], tuple(targets.shape[1:]))
            loss = divergence(log_density, targets[rows]) - correlation(log_density, targets[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return readout.eval()


def save_readout(readout: Readout, path: Path) -> None:
    """Writes a readout's arrays to an .npz file."""
    np.savez(path, **{name: value.cpu().numpy() for name, value in readout.state_dict().items()})


def load_readout(path: Path) -> Readout:
    """Reads what `save_readout` has written."""
    readout = Readout()
    with np.load(path) as arrays:
        readout.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays.files})
    return readout.eval()
