"""Changes the starter's training pictures at random, together with the densities of gaze on them.

Crops, mirrors and recolours pictures as data_pipelines.clips.augmentation does. Then blends some pictures with others,
puts some side by side, adds noise to some and blurs some. Without these changes, the network overfits a few thousand
scenes of 1,000 pictures.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F  # noqa: N812

from data_pipelines.clips.augmentation import Augmentation

BLENDED, SIDE_BY_SIDE, NOISY, BLURRED = 0.22, 0.12, 0.2, 0.1  # shares of the pictures
MOST_NOISE = 10.0  # levels
BLURRED_SIDE = 48  # pixels of a picture of 112 to which blurred ones are reduced first


@dataclasses.dataclass(frozen=True)
class Batch:
    """Pictures float32 [B, 3, S, S] in 0..255, and densities float32 [B, S, S], each with the sum 1."""

    pictures: torch.Tensor
    densities: torch.Tensor


def changed(batch: Batch, how: Augmentation) -> Batch:
    """Applies all changes to a batch. Draws from torch's global random number generator."""
    return roughened(combined(recoloured(cropped(batch, how), how.colour)))


def cropped(batch: Batch, how: Augmentation) -> Batch:
    """Mirrors half of the pictures, and crops and stretches them."""
    number = len(batch.pictures)
    area = 1 - how.crop * torch.rand(number)
    stretch = torch.exp(math.log1p(how.stretch) * (2 * torch.rand(number) - 1))
    sides = torch.stack([(area / stretch).sqrt(), (area * stretch).sqrt()], 1).clamp(max=1)
    sides[torch.rand(number) < how.whole] = 1
    height, width = sides.T
    top, left = ((1 - length) * torch.rand(number) for length in (height, width))
    theta = torch.zeros(number, 2, 3)
    theta[:, 0, 0] = torch.where(torch.rand(number) < 0.5, -width, width)
    theta[:, 0, 2] = 2 * left + width - 1
    theta[:, 1, 1], theta[:, 1, 2] = height, 2 * top + height - 1
    grid = F.affine_grid(theta, [number, 1, *batch.densities.shape[1:]], align_corners=False)
    pictures, densities = (
        F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        for x in (batch.pictures, batch.densities[:, None])
    )
    return Batch(pictures, normalised(densities[:, 0]))


def recoloured(batch: Batch, most: float) -> Batch:
    """Changes saturation and contrast by up to `most`, as a share, brightness and colours by up to a quarter of it."""
    pictures, change = batch.pictures, most * (2 * torch.rand(len(batch.pictures), 6, 1, 1, 1) - 1)
    grey = pictures.mean(1, keepdim=True)
    pictures = grey + (1 + change[:, 0]) * (pictures - grey)
    level = pictures.mean((1, 2, 3), keepdim=True)
    pictures = level + (1 + change[:, 1]) * (pictures - level) + 255 * change[:, 2] / 4
    return Batch((pictures * (1 + change[:, 3:, 0] / 4)).clamp(0, 255), batch.densities)


def combined(batch: Batch) -> Batch:
    """Blends some pictures with others of the batch, and puts some side by side. Does the same to their densities."""
    pictures, densities = batch.pictures, batch.densities
    others, kind = torch.randperm(len(pictures)), torch.rand(len(pictures))
    share = torch.distributions.Beta(0.5, 0.5).sample((len(pictures),))
    share = torch.where(kind < BLENDED, share, 1.0)[:, None, None]
    pictures = share[:, None] * pictures + (1 - share[:, None]) * pictures[others]
    densities = share * densities + (1 - share) * densities[others]
    rows = torch.nonzero((kind >= BLENDED) & (kind < BLENDED + SIDE_BY_SIDE))[:, 0]
    if len(rows):
        narrow = pictures.shape[2], pictures.shape[3] // 2
        small, small_densities = (
            F.interpolate(x, narrow, mode="bilinear", antialias=True) for x in (pictures, densities[:, None])
        )
        pictures = pictures.index_copy(0, rows, torch.cat([small[rows], small[others[rows]]], 3))
        halves = torch.cat([small_densities[rows, 0], small_densities[others[rows], 0]], 2)
        densities = densities.index_copy(0, rows, halves)
    return Batch(pictures, normalised(densities))


def roughened(batch: Batch) -> Batch:
    """Adds noise to some pictures and blurs some."""
    number = len(batch.pictures)
    noise = torch.where(torch.rand(number) < NOISY, MOST_NOISE * torch.rand(number), 0.0)
    pictures = batch.pictures + noise[:, None, None, None] * torch.randn_like(batch.pictures)
    rows = torch.nonzero(torch.rand(number) < BLURRED)[:, 0]
    if len(rows):
        size = pictures.shape[2:]
        small = [round(side * BLURRED_SIDE / 112) for side in size]
        reduced = F.interpolate(pictures[rows], small, mode="bilinear", antialias=True)
        pictures = pictures.index_copy(0, rows, F.interpolate(reduced, size, mode="bilinear"))
    return Batch(pictures.clamp(0, 255), batch.densities)


def normalised(densities: torch.Tensor) -> torch.Tensor:
    """Scales each density of [B, S, S] to the sum 1. Leaves densities that are zero everywhere unchanged."""
    return densities / densities.sum((1, 2), keepdim=True).clamp(min=1e-6)
