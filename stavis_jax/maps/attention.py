"""Treats saliency maps as distributions of attention: shares, entropy and concentration."""

import math

import numpy as np


def attention_mass(saliency_map: np.ndarray) -> np.ndarray:
    """Returns the share of attention in each pixel of a saliency map [h, w]: float64 [h, w] of sum 1.

    p = (s - min s) / sum(s - min s), so that a constant background has no share. A constant map becomes p = 1 / (h w).
    """
    mass = saliency_map.astype(np.float64)
    mass -= mass.min()
    if mass.max() == 0:
        mass += 1
    return mass / mass.sum()


def entropy_bits(mass: np.ndarray) -> float:
    """Returns -sum p log2 p of a distribution [h, w]: from 0 (all in one pixel) to log2(h w) (constant)."""
    positive = mass[mass > 0]
    return max(0.0, -float(positive @ np.log2(positive)))  # not -0.0


def concentration(mass: np.ndarray) -> float:
    """Returns 1 - entropy / (largest possible entropy): from 0 (constant) to 1 (all in one pixel)."""
    return 1 - entropy_bits(mass) / math.log2(mass.size)


def coverage(start: float, end: float, count: int) -> np.ndarray:
    """Returns the share of each of `count` equal cells of [0, 1] that the interval [start, end] covers, float64."""
    edges = np.arange(count + 1) / count
    overlap = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return np.clip(overlap * count, 0, 1)


def share_in(mass: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """Returns the share of a distribution [h, w] within a box (x, y, width, height) in shares of the picture.

    A pixel that the box covers in part counts in part.
    """
    x, y, width, height = box
    rows, columns = mass.shape
    return float(coverage(y, y + height, rows) @ mass @ coverage(x, x + width, columns))
