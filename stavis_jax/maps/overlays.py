"""Saliency maps over the film: heat that grows with saliency, the film's own picture where there is none."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from PIL import Image

from data_pipelines.runtime.errors import UserError

COLORMAP = "inferno"
GOOD_COLORMAPS = (COLORMAP, "magma", "viridis", "turbo", "hot", "jet")
OPACITY = 0.75  # share of the heat at the most salient pixel


def blend(picture: np.ndarray, saliency: np.ndarray, colormap: str = COLORMAP, opacity: float = OPACITY) -> np.ndarray:
    """Lays heat over a picture: uint8 RGB [H, W, 3] and 8-bit saliency [H, W] -> uint8 [H, W, 3].

    The heat's share grows from 0 where saliency is 0 to `opacity` where it is 255.
    """
    level = Image.fromarray(saliency)
    share = level.point([round(opacity * value) for value in range(256)])
    heat = level.copy()
    heat.putpalette(_heat_colours(colormap))
    return np.asarray(Image.composite(heat.convert("RGB"), Image.fromarray(picture), share))


def check_colormap(name: str) -> None:
    """Raises `UserError` unless matplotlib has a colormap of that name."""
    if name not in _colormaps():
        raise UserError(f"--colormap {name}: matplotlib has none of that name. Good ones: {', '.join(GOOD_COLORMAPS)}.")


@cache
def _heat_colours(colormap: str) -> bytes:
    """The colour of each of the 256 levels of saliency, R, G, B."""
    levels = np.linspace(0, 1, 256)
    return _colormaps()[colormap](levels, bytes=True)[:, :3].tobytes()


def _colormaps() -> Mapping[str, Callable]:
    import matplotlib  # a fifth of a second, and maps alone need none

    return matplotlib.colormaps
