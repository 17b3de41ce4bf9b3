"""Saliency maps as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.runtime.atomic import replaced_file

CELL_INCHES = 2.0


def saliency_picture(saliency_map: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """Returns a saliency map [h, w] as 8-bit grey: uint8 [h, w], or [height, width] if `size` = (width, height).

    Stretched from its own minimum to its maximum, resized (bicubic), truncated to whole levels, as the original
    does. A constant map is black.
    """
    low, high = saliency_map.min(), saliency_map.max()
    stretched = (saliency_map - low) / (high - low) if high > low else np.zeros_like(saliency_map)
    stretched = stretched.astype(np.float32)
    if size is not None and size != stretched.shape[::-1]:
        stretched = np.asarray(Image.fromarray(stretched).resize(size, Image.Resampling.BICUBIC))
        stretched = stretched.clip(0, 1)  # bicubic overshoots
    return (stretched * 255).astype(np.uint8)


def map_path(folder: Path, number: int) -> Path:
    """Where the map of the film's frame `number`, counted from 1, lies."""
    return folder / f"{number:06d}.png"


def save_comparison(path: Path, columns: Mapping[str, Sequence[np.ndarray]], title: str = "") -> None:
    """Writes one PNG with a column of pictures for each title, for instance frame, ground truth, and methods.

    Pictures are uint8 RGB [H, W, 3] or maps [H, W], which are shown in grey from their minimum to their maximum.
    Every column has one picture a row. Raises `ValueError` if their lengths differ.
    """
    rows = list(zip(*columns.values(), strict=True))
    if not rows:
        raise ValueError("save_comparison: no pictures.")
    height, width = rows[0][0].shape[:2]
    from matplotlib.figure import Figure  # half a second, and not every report has a figure

    figure = Figure(
        figsize=(CELL_INCHES * len(columns), CELL_INCHES * height / width * len(rows) + 0.4), layout="constrained"
    )
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for column_title, axis in zip(columns, axes[0], strict=True):
        axis.set_title(column_title, fontsize=9)
    for row, row_axes in zip(rows, axes, strict=True):
        for picture, axis in zip(row, row_axes, strict=True):
            shown = picture if picture.ndim == 3 else saliency_picture(np.asarray(picture, np.float32))
            axis.imshow(shown, cmap="gray", vmin=0, vmax=255, aspect="auto")
            axis.set_axis_off()
    figure.suptitle(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as partial:
        figure.savefig(partial, dpi=120, format="png")
