"""Renders the pictures of a synthetic film: textured objects that move on a textured, moving background."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data_pipelines.synthetic.plan import FilmPlan

Field = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Look:
    """The look of a kind of object. Positions are in units of the object's radius, from its centre."""

    inside: Field  # distance to the outline, positive within
    texture: Field  # share of the second colour, 0 to 1
    colours: tuple[tuple[int, int, int], tuple[int, int, int]]  # RGB


def _wave(phase: np.ndarray) -> np.ndarray:
    """Returns a stripe pattern of period 1 with soft edges, in [0, 1]."""
    return np.clip(0.5 + 1.5 * np.cos(2 * np.pi * phase), 0, 1)


# All four cover about the same area. No part is finer than a quarter of the radius.
LOOKS = {
    "hum": Look(  # a disc with rings
        inside=lambda u, v: 0.9 - np.hypot(u, v),
        texture=lambda u, v: _wave(np.hypot(u, v) / 0.7),
        colours=((30, 60, 210), (150, 200, 255)),
    ),
    "warble": Look(  # a flower of five petals with a dark centre
        inside=lambda u, v: 0.85 + 0.2 * np.cos(5 * np.arctan2(v, u)) - np.hypot(u, v),
        texture=lambda u, v: np.clip(6 * (0.4 - np.hypot(u, v)), 0, 1),
        colours=((250, 215, 30), (90, 40, 10)),
    ),
    "hiss": Look(  # a chequered square
        inside=lambda u, v: 0.78 - np.maximum(np.abs(u), np.abs(v)),
        texture=lambda u, v: np.clip(0.5 + 3 * np.sin(2 * np.pi * u / 1.04) * np.sin(2 * np.pi * v / 1.04), 0, 1),
        colours=((20, 130, 50), (190, 250, 170)),
    ),
    "knock": Look(  # a striped cross
        inside=lambda u, v: np.maximum(
            np.minimum(0.4 - np.abs(u), 1.0 - np.abs(v)), np.minimum(0.4 - np.abs(v), 1.0 - np.abs(u))
        ),
        texture=lambda u, v: _wave((u + v) / 0.75),
        colours=((210, 25, 40), (255, 240, 240)),
    ),
}


def render_frames(plan: FilmPlan) -> Iterator[np.ndarray]:
    """Yields the film's frames, uint8 RGB [H, W, 3]."""
    rng = plan.random("scene")
    background = _background(plan.frame_size, rng)  # [H, W, 3]
    drift = _random_direction(rng) * rng.uniform(0.1, 0.3) * min(plan.frame_size) / plan.fps  # pixels a frame
    colours = [np.clip(np.array(LOOKS[kind].colours) * rng.uniform(0.85, 1.1), 0, 255) for kind in plan.kinds]
    angles = rng.uniform(0, 2 * np.pi, size=len(plan.kinds))
    turns = rng.choice([-1, 1], size=len(plan.kinds)) * rng.uniform(0.3, 1.0) / plan.fps  # radians a frame
    for frame in range(plan.num_frames):
        picture = _shifted(background, drift * frame)
        for index, kind in enumerate(plan.kinds):
            angle = angles[index] + turns[index] * frame
            _draw(picture, LOOKS[kind], colours[index], plan.trajectories[frame, index], plan.radii[index], angle)
        yield np.round(picture).astype(np.uint8)


def _draw(
    picture: np.ndarray, look: Look, colours: np.ndarray, centre: np.ndarray, radius: float, angle: float
) -> None:
    """Paints one object onto `picture` [H, W, 3], in place, with a smooth outline."""
    reach = 1.2 * radius + 1
    left, top = np.maximum(np.floor(centre - reach), 0).astype(int)
    right, bottom = np.ceil(centre + reach).astype(int) + 1
    patch = picture[top:bottom, left:right]
    x = (left + np.arange(patch.shape[1]) - centre[0]) / radius
    y = ((top + np.arange(patch.shape[0]) - centre[1]) / radius)[:, None]
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    cover = np.clip(0.5 + radius * look.inside(u, v), 0, 1)[..., None]
    share = look.texture(u, v)[..., None]
    patch += cover * ((1 - share) * colours[0] + share * colours[1] - patch)


def _background(frame_size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Returns a cloudy texture [H, W, 3] around a dull random colour, which continues across its borders."""
    width, height = frame_size
    clouds = np.zeros((height, width))
    for scale in (0.1, 0.03):
        layer = ndimage.gaussian_filter(rng.normal(size=clouds.shape), scale * min(frame_size), mode="wrap")
        clouds += layer / layer.std()
    tint = rng.uniform(-15, 15, size=(2, 3))
    return np.clip(rng.uniform(90, 140) + tint[0] + clouds[..., None] * (18 + 0.3 * tint[1]), 0, 255)


def _shifted(texture: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Returns a new array: `texture` [H, W, 3] moved by (x, y) pixels, with wrap-around and linear interpolation."""
    for axis, distance in ((1, offset[0]), (0, offset[1])):
        whole = int(np.floor(distance))
        part = distance - whole
        texture = (1 - part) * np.roll(texture, whole, axis=axis) + part * np.roll(texture, whole + 1, axis=axis)
    return texture


def _random_direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])
