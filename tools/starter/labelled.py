"""Makes batches of scenes, and labels them with the densities that the teacher predicts."""

import dataclasses
from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812

from tools.starter.rendering import render, render_maps
from tools.starter.scenes import SceneDraw, Scenes
from tools.starter.teacher import Teacher

FRAME = 240, 320  # height and width of the frames, to which preparation would reduce them first
SHAPES = ((384, 512), (288, 512), (384, 384), (512, 320))  # what the teacher sees
SHAPE_SHARES = (0.5, 0.34, 0.08, 0.08)
CLIP_FRAMES = 16
TARGET_TIME = 7 / 15  # of the eighth of 16 frames
POINTS = 100  # drawn from each density, as fixations
REAL_WEIGHT = 0.5  # of the real density, where there is one; the rest is the teacher's
MOTION_WEIGHT = 0.5  # of the density on a part that moves fast
FAST = 0.2  # shares of the frame in the 16 frames


@dataclasses.dataclass(frozen=True)
class Pictures:
    """N pictures with real gaze, on one device.

    Attributes:
      pixels: uint8 [N, 3, h, w], RGB.
      densities: float32 [N, h / 8, w / 8], each with the sum 1.
    """

    pixels: torch.Tensor
    densities: torch.Tensor

    def to(self, device: str) -> "Pictures":
        """Returns the pictures on a device."""
        return Pictures(self.pixels.to(device), self.densities.to(device))

    @property
    def aspect(self) -> float:
        return self.pixels.shape[3] / self.pixels.shape[2]

    def gaze_points(self, number: int = 64) -> torch.Tensor:
        """Draws points from each density. Returns (y, x) as shares of height and width, float32 [N, number, 2]."""
        return points_of(self.densities, number, torch.Generator(self.densities.device).manual_seed(0))


@dataclasses.dataclass(frozen=True)
class Labelled:
    """B scenes with their densities.

    Attributes:
      frames: uint8 [B, T, 3, 240, 320]; T is 1 or 16.
      densities: float32 [B, h, w], each with the sum 1, of the target frame.
    """

    frames: torch.Tensor
    densities: torch.Tensor


def labelled_scenes(
    pictures: Pictures, teacher: Teacher, number: int, *, seed: int, batch: int = 64, moving: bool = False
) -> Iterator[Labelled]:
    """Yields batches of labelled scenes, `number` in all.

    A quarter of the still scenes show a part of a single picture. Their density is the mean of the real one and the
    teacher's. All other scenes have the teacher's density.
    """
    draw = SceneDraw(pictures.gaze_points(), pictures.aspect, seed)
    real = SceneDraw(pictures.gaze_points(), pictures.aspect, seed + 1)
    shapes = torch.Generator().manual_seed(seed)
    for first in range(0, number, batch):
        count = min(batch, number - first)
        if not moving and (first // batch) % 4 == 0:
            yield _real_parts(pictures, teacher, real, count)
            continue
        shape = SHAPES[int(torch.multinomial(torch.tensor(SHAPE_SHARES), 1, generator=shapes))]
        yield _made(pictures, teacher, draw(count, shape[1] / shape[0], moving=moving), shape, moving)


def points_of(densities: torch.Tensor, number: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Draws points from densities [B, h, w]. Returns (y, x) as shares of height and width, float32 [B, number, 2]."""
    height, width = densities.shape[1:]
    cells = torch.multinomial(densities.flatten(1), number, replacement=True, generator=generator)
    within = torch.rand(2, *cells.shape, device=cells.device, generator=generator)
    return torch.stack([(cells // width + within[0]) / height, (cells % width + within[1]) / width], 2)


def _made(pictures: Pictures, teacher: Teacher, scenes: Scenes, shape: tuple[int, int], moving: bool) -> Labelled:
    densities = teacher.densities(render(scenes, pictures.pixels, shape, TARGET_TIME))
    if not moving:
        return Labelled(_frame(render(scenes, pictures.pixels, shape))[:, None], densities)
    times = [number / (CLIP_FRAMES - 1) for number in range(CLIP_FRAMES)]
    frames = torch.stack([_frame(render(scenes, pictures.pixels, FRAME, time)) for time in times], 1)
    return Labelled(frames, with_motion(densities, scenes))


def _real_parts(pictures: Pictures, teacher: Teacher, draw: SceneDraw, count: int) -> Labelled:
    scenes = draw(count, pictures.aspect)
    places = torch.zeros_like(scenes.places) + torch.tensor([0.0, 0, 1, 1], device=scenes.places.device)
    alone = scenes.opacity * torch.tensor([1.0, 0, 0], device=scenes.places.device)
    scenes = dataclasses.replace(scenes, places=places, opacity=alone)
    pixels = render(scenes, pictures.pixels, tuple(pictures.pixels.shape[2:]))
    densities = teacher.densities(pixels)
    real = render_maps(scenes, pictures.densities * (255 / pictures.densities.amax((1, 2), keepdim=True)), FRAME)
    real = F.interpolate(real[:, None], densities.shape[1:], mode="bilinear", antialias=True)[:, 0]
    mass = real.sum((1, 2), keepdim=True)
    mixed = (1 - REAL_WEIGHT) * densities + REAL_WEIGHT * real / mass.clamp(min=1e-6)
    return Labelled(_frame(pixels)[:, None], torch.where(mass > 1, mixed, densities))


def with_motion(densities: torch.Tensor, scenes: Scenes) -> torch.Tensor:
    """Moves a share of each density to the parts that move, since motion attracts the gaze.

    The share rises with the part's speed. It is added as a Gaussian spot at the centre of the part.
    """
    _, places = scenes.at(TARGET_TIME)
    steps = scenes.places[:, :, 1, :2] - scenes.places[:, :, 0, :2]
    share = MOTION_WEIGHT * (steps.norm(dim=2) / FAST).clamp(max=1) * (scenes.opacity > 0)
    rows, columns = ((torch.arange(n, device=densities.device) + 0.5) / n for n in densities.shape[1:])
    for layer in range(1, places.shape[1]):
        top, left, height, width = places[:, layer].T[..., None]
        down = torch.exp(-0.5 * ((rows - top - height / 2) / (0.22 * height + 0.02)) ** 2)
        across = torch.exp(-0.5 * ((columns - left - width / 2) / (0.22 * width + 0.02)) ** 2)
        spot = down[:, :, None] * across[:, None]
        spot = spot / spot.sum((1, 2), keepdim=True).clamp(min=1e-6)
        weight = share[:, layer, None, None]
        densities = (1 - weight) * densities + weight * spot
    return densities


def _frame(pixels: torch.Tensor) -> torch.Tensor:
    """Resizes pixels [B, 3, H, W] to FRAME with a bicubic filter. Returns uint8 [B, 3, 240, 320]."""
    resized = F.interpolate(pixels, FRAME, mode="bicubic", antialias=True)
    return resized.clamp(0, 255).round().to(torch.uint8)
