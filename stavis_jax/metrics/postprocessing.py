"""Prepares a predicted map as the MIT saliency benchmark does: stretch, blur, resize to the annotation's size."""

import functools

import numpy as np
from scipy import ndimage

BLUR_SIGMA_PIXELS = 2.0
BLUR_RADIUS_PIXELS = 6  # 13 taps
BAND_ROWS = 8  # of a resized map; BLAS starts threads for products of larger bands


def postprocess(prediction: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Stretches a map to [0, 1], blurs it and resizes it to the size of an annotation.

    Args:
        prediction: uint8 [h, w] in 0..255.
        shape: height and width of the annotation in pixels.

    Returns:
        float64 [H, W]. Bicubic over- and undershoot are kept, as in the benchmark. NaN everywhere if the prediction is
        black (0/0), exactly 0.5 everywhere if it is another constant.
    """
    prediction = np.asarray(prediction, np.float64)
    if prediction.ndim != 2:
        raise ValueError(f"Expected one map [h, w], found shape {prediction.shape}.")
    lowest, highest = prediction.min(), prediction.max()
    if lowest == highest:
        # Blurring a constant leaves rounding noise, which correlation and ranks would score as a map.
        return np.full(shape, 0.5 if highest else np.nan)
    stretched = (prediction - lowest) / (highest - lowest)
    return imresize_bicubic(blur(stretched), shape)


def blur(saliency_map: np.ndarray) -> np.ndarray:
    """Returns a map [h, w] blurred by a 13x13 Gaussian, sigma 2 pixels. Borders are mirrored, edge pixel repeated."""
    saliency_map = np.asarray(saliency_map, np.float64)
    return ndimage.gaussian_filter(saliency_map, BLUR_SIGMA_PIXELS, mode="reflect", radius=BLUR_RADIUS_PIXELS)


def imresize_bicubic(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resizes [h, w] to [H, W] in float64 as MATLAB's `imresize(image, shape, "bicubic")` does.

    Keys' kernel with a = -0.5, half-pixel centres, mirrored borders, antialiasing on an axis that shrinks, no clipping.
    """
    image = np.asarray(image, np.float64)
    if image.ndim != 2:
        raise ValueError(f"Expected one map [h, w], found shape {image.shape}.")
    height, width = shape
    return _resize_rows(np.ascontiguousarray(_resize_rows(image.T, width).T), height)


def _resize_rows(image: np.ndarray, target_size: int) -> np.ndarray:
    """Resizes [h, w] to [target, w]."""
    resized = np.empty((target_size, image.shape[1]))
    for target, source, weights in _resize_bands(len(image), target_size):
        np.matmul(weights, image[source], out=resized[target])
    return resized


@functools.lru_cache(maxsize=64)
def _resize_bands(source_size: int, target_size: int) -> list[tuple[slice, slice, np.ndarray]]:
    """Returns (rows of the result, rows that they are made of, weights [rows, source rows]) of each band."""
    weights = _resize_matrix(source_size, target_size)
    bands = []
    for first in range(0, target_size, BAND_ROWS):
        rows = slice(first, min(first + BAND_ROWS, target_size))
        used = np.flatnonzero(weights[rows].any(axis=0))
        source = slice(int(used[0]), int(used[-1]) + 1)
        bands.append((rows, source, np.ascontiguousarray(weights[rows, source])))
    return bands


def _resize_matrix(source_size: int, target_size: int) -> np.ndarray:
    """Returns the weights [target, source] of one axis. Most are zero: an enlarged pixel has four taps."""
    if source_size == target_size:
        return np.eye(source_size)
    scale = target_size / source_size
    shrink = min(scale, 1.0)
    centres = (np.arange(target_size) + 0.5) / scale - 0.5
    num_taps = int(np.ceil(4 / shrink)) + 2
    taps = np.floor(centres - 2 / shrink)[:, None] + np.arange(num_taps)  # [target, taps]
    weights = shrink * _keys_kernel(shrink * (taps - centres[:, None]))
    weights /= weights.sum(axis=1, keepdims=True)  # MATLAB normalises here too where it antialiases
    mirrored = taps.astype(int) % (2 * source_size)
    mirrored = np.minimum(mirrored, 2 * source_size - 1 - mirrored)
    matrix = np.zeros((target_size, source_size))
    np.add.at(matrix, (np.arange(target_size)[:, None], mirrored), weights)
    return matrix


def _keys_kernel(offset: np.ndarray) -> np.ndarray:
    """Returns the cubic convolution kernel of Keys (1981) with a = -0.5."""
    distance = np.abs(offset)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))
