"""Converts saliency maps to pictures."""

import numpy as np
from PIL import Image

RELEASED_JPEG_QUALITY = 75  # of 100: that of the released code's maps


def saliency_picture(saliency_map: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """Returns a saliency map as an 8-bit grey picture.

    The map is stretched from its minimum to its maximum, resized bicubically and truncated to whole levels, as in the
    original. A constant map becomes black.

    Args:
      saliency_map: float [h, w].
      size: (width, height) of the picture in pixels; by default that of the map.

    Returns:
      uint8 [height, width].
    """
    low, high = saliency_map.min(), saliency_map.max()
    stretched = (saliency_map - low) / (high - low) if high > low else np.zeros_like(saliency_map)
    stretched = stretched.astype(np.float32)
    if size is not None and size != stretched.shape[::-1]:
        stretched = np.asarray(Image.fromarray(stretched).resize(size, Image.Resampling.BICUBIC))
        stretched = stretched.clip(0, 1)  # bicubic overshoots
    return (stretched * 255).astype(np.uint8)
