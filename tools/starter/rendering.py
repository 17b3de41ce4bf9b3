"""Renders scenes (tools/starter/scenes.py) to frames, and cuts maps as their first layer is cut."""

import dataclasses

import torch
import torch.nn.functional as F  # noqa: N812

from tools.starter.scenes import BLURS, LAYERS, Scenes

TEXELS = 112  # pixels of a frame's side to which the softness of edges refers


def render(scenes: Scenes, pictures: torch.Tensor, size: tuple[int, int], time: float = 0.5) -> torch.Tensor:
    """Returns frames float32 [B, 3, H, W], 0 to 255, of scenes at a time from 0 to 1.

    Args:
      scenes: B scenes.
      pictures: uint8 [N, 3, h, w], about as fine as the frames: they are sampled without smoothing.
      size: (H, W).
      time: 0 is the first frame of a moving scene, 1 the last.
    """
    boxes, places = scenes.at(time)
    frame = scenes.background[:, :, None, None].expand(-1, -1, *size)
    rows, columns = ((torch.arange(n, device=pictures.device) + 0.5) / n for n in size)
    for layer in range(LAYERS):
        there = torch.nonzero(scenes.opacity[:, layer] > 0)[:, 0]
        if not len(there):
            continue
        box, place = boxes[there, layer], places[there, layer]
        down = (rows - place[:, 0, None]) / place[:, 2, None]  # [b, H], 0 to 1 within the place
        across = (columns - place[:, 1, None]) / place[:, 3, None]
        coverage = _coverage(down, across, place, scenes.round[there, layer], scenes.softness[there, layer])
        across = torch.where(scenes.mirrored[there, layer, None], 1 - across, across)
        y = (box[:, 0, None] + box[:, 2, None] * down) * 2 - 1
        x = (box[:, 1, None] + box[:, 3, None] * across) * 2 - 1
        grid = torch.stack([x[:, None, :].expand(-1, size[0], -1), y[:, :, None].expand(-1, -1, size[1])], 3)
        source = pictures[scenes.sources[there, layer]].float()
        part = F.grid_sample(source, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        mixed = frame[there] + coverage[:, None] * (part - frame[there])
        frame = frame.index_copy(0, there, mixed)
    return _finished(frame, scenes)


def render_maps(scenes: Scenes, maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Returns maps [B, H, W] of the parts that the first layers show, from maps [N, h, w] of the pictures."""
    plain = torch.zeros_like(scenes.colour) + torch.tensor([1.0, 1, 1, 0, 1, 1, 1], device=maps.device)
    still = torch.ones_like(scenes.blur)
    alone = dataclasses.replace(
        scenes,
        opacity=scenes.opacity * torch.tensor([1.0, 0, 0], device=maps.device),
        colour=plain,
        blur=still,
        noise=0 * still,
    )
    return render(alone, maps[:, None].expand(-1, 3, -1, -1), size)[:, 0]


def _coverage(
    down: torch.Tensor, across: torch.Tensor, place: torch.Tensor, is_round: torch.Tensor, softness: torch.Tensor
) -> torch.Tensor:
    """Returns how much a layer covers each pixel [b, H, W], 0 to 1."""
    soft = softness[:, None] / TEXELS
    edge_y, edge_x = ((0.5 - (x - 0.5).abs()) * place[:, i, None] / soft + 0.5 for x, i in ((down, 2), (across, 3)))
    square = edge_y.clamp(0, 1)[:, :, None] * edge_x.clamp(0, 1)[:, None]
    radius = torch.sqrt((down[:, :, None] - 0.5) ** 2 + (across[:, None] - 0.5) ** 2)
    smaller = place[:, 2:].min(1).values[:, None, None]
    ellipse = ((0.5 - radius) * smaller / soft[..., None] + 0.5).clamp(0, 1)
    return torch.where(is_round[:, None, None], ellipse, square)


def _finished(frame: torch.Tensor, scenes: Scenes) -> torch.Tensor:
    gamma, saturation, contrast, brightness = (scenes.colour[:, i, None, None, None] for i in range(4))
    frame = 255 * (frame / 255).clamp(1e-4, 1) ** gamma
    grey = frame.mean(1, keepdim=True)
    frame = grey + saturation * (frame - grey)
    frame = (128 + contrast * (frame - 128) + brightness) * scenes.colour[:, 4:, None, None]
    size = frame.shape[-2:]
    for factor in BLURS[1:]:
        blurred = torch.nonzero(scenes.blur == factor)[:, 0]
        if len(blurred):
            side = 240 / factor / min(size)  # the factor is that of a frame with 240 pixels on its shorter side
            small = [max(int(n * min(side, 1)), 8) for n in size]
            reduced = F.interpolate(frame[blurred], small, mode="bilinear", antialias=True)
            frame = frame.index_copy(0, blurred, F.interpolate(reduced, size, mode="bicubic"))
    noise = torch.randn(frame.shape, device=frame.device) * scenes.noise[:, None, None, None]
    return (frame + noise).clamp(0, 255)
