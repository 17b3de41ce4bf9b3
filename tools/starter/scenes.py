"""Draws still and moving scenes made from pictures: crops, pictures side by side, parts pasted into others.

A scene is a plain background with three layers on it. A layer shows a part of a picture, its box, in a part of the
frame, its place. Boxes and places are (top, left, height, width) in shares of the picture and of the frame. In a moving
scene both move at constant speed from the first frame to the last. A moving box looks like a camera that turns or
zooms. A moving place looks like an object that moves through the scene.
"""

import dataclasses
import math

import torch

LAYERS = 3
KINDS = {"one": 0.4, "side by side": 0.17, "pasted": 0.35, "bars": 0.08}  # kind of scene -> its share
MOVING_KINDS = {"one": 0.4, "side by side": 0.05, "pasted": 0.5, "bars": 0.05}
WHOLE = (0.0, 0.0, 1.0, 1.0)
BLURS, BLUR_SHARES = (1.0, 2.0, 3.5, 6.0), (0.85, 0.06, 0.05, 0.04)


@dataclasses.dataclass(frozen=True)
class Scenes:
    """B scenes. All arrays are on the device of the pictures.

    Attributes:
      sources: picture of each layer, int64 [B, 3].
      boxes: float32 [B, 3, 2, 4], for the first and the last frame.
      places: float32 [B, 3, 2, 4].
      mirrored: bool [B, 3].
      opacity: float32 [B, 3], 0 for a layer that is not there.
      round: bool [B, 3], whether the layer is an ellipse.
      softness: float32 [B, 3], width of its edge in pixels of a frame of 112.
      background: RGB in 0..255, float32 [B, 3].
      colour: gamma, saturation, contrast, brightness and gains of red, green and blue, float32 [B, 7].
      blur: one of BLURS, by which the frame is reduced and enlarged again, float32 [B].
      noise: standard deviation in levels, float32 [B].
    """

    sources: torch.Tensor
    boxes: torch.Tensor
    places: torch.Tensor
    mirrored: torch.Tensor
    opacity: torch.Tensor
    round: torch.Tensor
    softness: torch.Tensor
    background: torch.Tensor
    colour: torch.Tensor
    blur: torch.Tensor
    noise: torch.Tensor

    def __len__(self) -> int:
        return len(self.sources)

    def at(self, time: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns boxes and places [B, 3, 4] at a time from 0 to 1."""
        first, last = (self.boxes[:, :, end] for end in (0, 1)), (self.places[:, :, end] for end in (0, 1))
        return tuple((1 - time) * a + time * b for a, b in (first, last))  # type: ignore[return-value]


class SceneDraw:
    """Draws scenes at random."""

    def __init__(self, points: torch.Tensor, source_aspect: float, seed: int):
        """Starts the random numbers.

        Args:
          points: places where people look in each picture, (y, x) in shares, [N, P, 2]. Pasted parts are cut around
            them.
          source_aspect: width / height of the pictures.
          seed: decides all scenes.
        """
        self.points, self.source_aspect = points, source_aspect
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, number: int, aspect: float, *, moving: bool = False) -> Scenes:
        """Returns `number` scenes for frames of width / height `aspect`."""
        kind = self._kinds(number, MOVING_KINDS if moving else KINDS)
        sources = torch.randint(len(self.points), (number, LAYERS), generator=self.generator)
        places = torch.tensor(WHOLE).expand(number, LAYERS, 4).clone()
        opacity = torch.zeros(number, LAYERS)
        opacity[:, 0] = 1
        bars = self._bars(number)
        places[:, 0] = torch.where(kind["bars"][:, None], bars, places[:, 0])
        tiles, is_tile = self._tiles(number)
        side_by_side = kind["side by side"][:, None]
        places[:, 1:] = torch.where(side_by_side[..., None], tiles, places[:, 1:])
        opacity[:, 1:] = torch.where(side_by_side, is_tile, opacity[:, 1:])
        pasted = kind["pasted"]
        parts = self._parts(number, aspect)
        places[:, 1:] = torch.where(pasted[:, None, None], parts, places[:, 1:])
        second = self._uniform(number) < 0.35
        opacity[:, 1] = torch.where(pasted, 1.0, opacity[:, 1])
        opacity[:, 2] = torch.where(pasted & second, 1.0, opacity[:, 2])
        boxes = self._boxes(number, places, aspect)
        around = self._boxes_around_gaze(sources, places, aspect)
        boxes[:, 1:] = torch.where(pasted[:, None, None], around[:, 1:], boxes[:, 1:])
        both = [torch.stack([x, x], 2) for x in (boxes, places)]
        if moving:
            both = [self._moved_boxes(boxes), self._moved_places(places, pasted)]
        front = torch.arange(LAYERS) > 0
        scenes = Scenes(
            sources,
            *both,
            mirrored=self._uniform(number, LAYERS) < 0.5,
            opacity=opacity,
            round=pasted[:, None] & front & (self._uniform(number, LAYERS) < 0.6),
            softness=torch.where(pasted[:, None] & front, 0.5 + 4 * self._uniform(number, LAYERS) ** 2, 0.3),
            background=self._backgrounds(number),
            colour=self._colours(number),
            blur=torch.tensor(BLURS)[
                torch.multinomial(torch.tensor(BLUR_SHARES), number, True, generator=self.generator)
            ],
            noise=torch.where(self._uniform(number) < 0.2, 10 * self._uniform(number), 0.0),
        )
        device = self.points.device
        return Scenes(**{name: value.to(device) for name, value in vars(scenes).items()})

    def _uniform(self, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=self.generator)

    def _between(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * self._uniform(*shape)

    def _kinds(self, number: int, shares: dict[str, float]) -> dict[str, torch.Tensor]:
        """Draws a kind for each scene. Returns for each kind whether a scene has it, bool [B]."""
        drawn = torch.multinomial(torch.tensor(list(shares.values())), number, True, generator=self.generator)
        return {name: drawn == index for index, name in enumerate(shares)}

    def _bars(self, number: int) -> torch.Tensor:
        """Returns places [B, 4] between bars above and below, or left and right."""
        bar, upright = self._between(0.06, 0.22, number), self._uniform(number) < 0.3
        zero, one = torch.zeros(number), torch.ones(number)
        wide = torch.stack([bar, zero, 1 - 2 * bar, one], 1)
        return torch.where(upright[:, None], wide[:, [1, 0, 3, 2]], wide)

    def _tiles(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns two places [B, 2, 4] beside the first layer, and whether each is in use [B, 2]."""
        cut, other = self._between(0.3, 0.7, number), self._between(0.3, 0.7, number)
        zero, one = torch.zeros(number), torch.ones(number)
        right = torch.stack([zero, cut, one, 1 - cut], 1)
        low = torch.stack([other, zero, 1 - other, cut], 1)
        flipped = self._uniform(number) < 0.35  # above each other
        both = torch.stack([right, low], 1)
        both = torch.where(flipped[:, None, None], both[..., [1, 0, 3, 2]], both)
        return both, torch.stack([one, (self._uniform(number) < 0.3).float()], 1)

    def _parts(self, number: int, aspect: float) -> torch.Tensor:
        """Returns places [B, 2, 4] of pasted parts, which may extend a little beyond the frame."""
        height = self._between(0.15, 0.55, number, 2)
        width = height / aspect * torch.exp(self._between(-0.5, 0.4, number, 2))
        centre_y, centre_x = self._between(0.08, 0.92, number, 2), self._between(0.05, 0.95, number, 2)
        return torch.stack([centre_y - height / 2, centre_x - width / 2, height, width], 2)

    def _boxes(self, number: int, places: torch.Tensor, aspect: float) -> torch.Tensor:
        """Returns boxes [B, 3, 4] with about the aspect of their places. The longer side is at least 0.55."""
        stretch = self._ratio(places, aspect) * torch.exp(self._between(-0.2, 0.2, number, LAYERS))
        side = self._between(0.55, 1.0, number, LAYERS)
        side = torch.where(self._uniform(number, LAYERS) < 0.25, 1.0, side)
        height, width = side * torch.clamp(1 / stretch, max=1), side * torch.clamp(stretch, max=1)
        top, left = ((1 - length) * self._uniform(number, LAYERS) for length in (height, width))
        return torch.stack([top, left, height, width], 2)

    def _boxes_around_gaze(self, sources: torch.Tensor, places: torch.Tensor, aspect: float) -> torch.Tensor:
        points = self.points.cpu()
        chosen = torch.randint(points.shape[1], sources.shape, generator=self.generator)
        centre = points[sources, chosen]
        stretch = self._ratio(places, aspect)
        side = self._between(0.12, 0.4, *sources.shape)
        height, width = side / stretch.sqrt(), side * stretch.sqrt()
        height, width = torch.clamp(height, max=1), torch.clamp(width, max=1)
        top = torch.clamp(centre[..., 0] - height / 2, min=torch.zeros(()), max=1 - height)
        left = torch.clamp(centre[..., 1] - width / 2, min=torch.zeros(()), max=1 - width)
        return torch.stack([top, left, height, width], 2)

    def _ratio(self, places: torch.Tensor, aspect: float) -> torch.Tensor:
        """Returns width / height, in shares of a picture, of boxes with the aspect of their places in the frame."""
        return places[..., 3] * aspect / places[..., 2] / self.source_aspect

    def _moved_boxes(self, boxes: torch.Tensor) -> torch.Tensor:
        """Returns boxes [B, 3, 2, 4] of a camera that turns and zooms. In a quarter of the scenes it is at rest."""
        number = len(boxes)
        strength = 0.3 * self._uniform(number) ** 2
        strength = torch.where(self._uniform(number) < 0.25, 0.0, strength)
        shift = strength[:, None, None] * self._between(-1, 1, number, 1, 2)
        zoom = torch.exp(strength[:, None, None] * self._between(-0.7, 0.7, number, 1, 1))
        ends = []
        for sign in (-0.5, 0.5):
            size = torch.clamp(boxes[..., 2:] * zoom**sign, max=1)
            corner = boxes[..., :2] + (boxes[..., 2:] - size) / 2 + sign * shift * boxes[..., 2:]
            ends.append(torch.cat([torch.clamp(corner, min=torch.zeros(()), max=1 - size), size], 2))
        return torch.stack(ends, 2)

    def _moved_places(self, places: torch.Tensor, pasted: torch.Tensor) -> torch.Tensor:
        """Returns places [B, 3, 2, 4] where pasted parts move by up to 40% of the frame. A fifth of the parts stay."""
        number = len(places)
        angle = self._between(-math.pi, math.pi, number, LAYERS)
        far = self._between(0.04, 0.4, number, LAYERS)
        far = torch.where(self._uniform(number, LAYERS) < 0.2, 0.0, far)
        far = torch.where(pasted[:, None], far, 0.0)
        far[:, 0] = 0
        step = torch.stack([far * torch.sin(angle) * 0.6, far * torch.cos(angle)], 2)
        ends = [torch.cat([places[..., :2] + sign * step, places[..., 2:]], 2) for sign in (-0.5, 0.5)]
        return torch.stack(ends, 2)

    def _backgrounds(self, number: int) -> torch.Tensor:
        grey = 255 * self._uniform(number, 1) * torch.ones(1, 3)
        return torch.where(self._uniform(number, 1) < 0.6, 0.0, grey)

    def _colours(self, number: int) -> torch.Tensor:
        gamma = torch.exp(torch.where(self._uniform(number) < 0.5, self._between(-0.5, 0.7, number), 0.0))
        saturation = torch.where(self._uniform(number) < 0.06, 0.0, self._between(0.5, 1.5, number))
        contrast, brightness = self._between(0.7, 1.25, number), self._between(-25, 25, number)
        dark = self._uniform(number) < 0.1
        contrast = torch.where(dark, self._between(0.2, 0.5, number), contrast)
        brightness = torch.where(dark, -60.0, brightness)
        gains = self._between(0.88, 1.12, number, 3)
        return torch.cat([torch.stack([gamma, saturation, contrast, brightness], 1), gains], 1)
