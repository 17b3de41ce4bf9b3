"""Gaze points of one frame -> fixation map and density map."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

JPEG_QUALITY = 95


def fixation_map(points: np.ndarray, frame_size: tuple[int, int]) -> np.ndarray:
    """uint8 [H, W] with 1 at each gaze point of `points` int [n, 2], (x, y) in whole pixels within the frame.

    `frame_size`: (width, height).
    """
    width, height = frame_size
    fixations = np.zeros((height, width), np.uint8)
    fixations[points[:, 1], points[:, 0]] = 1
    return fixations


def density_map(points: np.ndarray, frame_size: tuple[int, int], sigma: float) -> np.ndarray:
    """uint8 [H, W]: a Gaussian of std `sigma` pixels around each point, summed, scaled to a maximum of 255.

    0 everywhere without points. A pixel that is looked at twice counts twice. Nothing is mirrored at the border.
    """
    width, height = frame_size
    if not len(points):
        return np.zeros((height, width), np.uint8)
    columns, rows = _bells(points[:, 0], width, sigma), _bells(points[:, 1], height, sigma)
    density = rows.T @ columns  # a Gaussian is the product of one over y and one over x: far faster than a blur
    return np.round(255 * density / density.max()).astype(np.uint8)


def _bells(centres: np.ndarray, length: int, sigma: float) -> np.ndarray:
    """exp(-(i - centre)^2 / (2 sigma^2)), float64 [n, length]."""
    return np.exp(-0.5 * ((np.arange(length) - centres[:, None]) / sigma) ** 2)


def save_fixations(path: Path, fixations: np.ndarray) -> None:
    """A MATLAB 5 file with the fixation map as `eyeMap`."""
    savemat(path, {"eyeMap": fixations}, do_compression=True)


def save_density(path: Path, density: np.ndarray) -> None:
    Image.fromarray(density).save(path, quality=JPEG_QUALITY)
