"""Makes the fixation map and the density map of one frame from gaze points, and writes them."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

JPEG_QUALITY = 95
MAT_HEADER = b"MATLAB 5.0 MAT-file".ljust(116)  # SciPy's own header holds the time of day


def fixation_map(points: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """Returns the fixation map of a frame, uint8 [H, W]: 1 at each gaze point, 0 elsewhere.

    Args:
      points: int [N, 2], (x, y) in whole pixels, within the frame.
      frame_size: (width, height) in pixels.
    """
    width, height = frame_size
    fixations = np.zeros((height, width), np.uint8)
    fixations[points[:, 1], points[:, 0]] = 1
    return fixations


def density_map(
    points: np.ndarray,
    frame_size: tuple[int, int],
    sigma: float,
    truncate: float = math.inf,
    pixel_aspect: float = 1,
) -> np.ndarray:
    """Returns the gaze density of a frame, uint8 [H, W]: a Gaussian at each point, summed, scaled to a maximum of 255.

    Points at the same pixel add up. The Gaussians are cut at the border, not reflected. Without points, the map is 0.

    Args:
      points: int [N, 2], (x, y) in whole pixels, within the frame.
      frame_size: (width, height) in pixels.
      sigma: standard deviation of the Gaussian in pixels; in heights of pixels if they are not square.
      truncate: distance in x or y, in standard deviations, beyond which a Gaussian is 0, as in
        `scipy.ndimage.gaussian_filter`.
      pixel_aspect: width over height of the pixels.
    """
    width, height = frame_size
    if not len(points):
        return np.zeros((height, width), np.uint8)
    columns = _gaussians(points[:, 0], width, sigma / pixel_aspect, truncate)
    rows = _gaussians(points[:, 1], height, sigma, truncate)
    density = rows.T @ columns  # a Gaussian of x and y is the product of two: far faster than a blur
    return np.round(255 * density / density.max()).astype(np.uint8)


def _gaussians(centres: np.ndarray, length: int, sigma: float, truncate: float) -> np.ndarray:
    """Returns exp(-(i - centre)^2 / (2 sigma^2)), float64 [N, length]; 0 beyond `truncate` standard deviations."""
    distances = np.arange(length) - centres[:, None]
    return np.where(np.abs(distances) <= np.floor(truncate * sigma + 0.5), np.exp(-0.5 * (distances / sigma) ** 2), 0)


def save_fixations(path: Path, fixations: np.ndarray) -> None:
    """Writes a MATLAB 5 file with the fixation map as the variable `eyeMap`. The same map gives the same bytes."""
    from scipy.io import savemat  # here, since predicting films imports this module and writes no fixations

    file = io.BytesIO()
    savemat(file, {"eyeMap": fixations}, do_compression=True)
    path.write_bytes(MAT_HEADER + file.getvalue()[len(MAT_HEADER) :])


def save_density(path: Path, density: np.ndarray) -> None:
    """Writes a density map as a grey JPEG."""
    Image.fromarray(density).save(path, quality=JPEG_QUALITY)
