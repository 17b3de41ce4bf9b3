"""Lays heat maps over pictures."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from PIL import Image

from data_pipelines.runtime.errors import UserError

COLORMAP = "inferno"
GOOD_COLORMAPS = (COLORMAP, "magma", "viridis", "turbo", "hot", "jet")
OPACITY = 0.75  # of the heat at the most salient pixel


def blend(picture: np.ndarray, saliency: np.ndarray, colormap: str = COLORMAP, opacity: float = OPACITY) -> np.ndarray:
    """Returns a picture with heat over it, uint8 [H, W, 3].

    Args:
      picture: uint8 [H, W, 3], RGB.
      saliency: uint8 [H, W].
      colormap: name of a matplotlib colormap.
      opacity: opacity of the heat where saliency is 255; it falls linearly to 0 where saliency is 0.
    """
    level = Image.fromarray(saliency)
    share = level.point([round(opacity * value) for value in range(256)])
    heat = level.copy()
    heat.putpalette(_heat_colours(colormap))
    return np.asarray(Image.composite(heat.convert("RGB"), Image.fromarray(picture), share))


def check_colormap(name: str) -> None:
    """Raises `UserError` if matplotlib has no colormap of that name."""
    if name not in _colormaps():
        raise UserError(
            f"--colormap {name}: is not a colormap of matplotlib. Good choices: {', '.join(GOOD_COLORMAPS)}."
        )


@cache
def _heat_colours(colormap: str) -> bytes:
    """Returns the colours of the 256 levels of saliency, as bytes R, G, B."""
    levels = np.linspace(0, 1, 256)
    return _colormaps()[colormap](levels, bytes=True)[:, :3].tobytes()


def _colormaps() -> Mapping[str, Callable]:
    import matplotlib  # takes 0.2 s, which map files alone do not need

    return matplotlib.colormaps
