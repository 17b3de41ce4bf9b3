"""Writes a picture that compares saliency maps of several methods."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipelines.runtime.atomic import replaced_file
from stavis_jax.maps.pictures import saliency_picture

CELL_INCHES = 2.0


def save_comparison(path: Path, columns: Mapping[str, Sequence[np.ndarray]], title: str = "") -> None:
    """Writes a PNG with a column of pictures per title, for instance frame, ground truth and methods.

    Args:
      path: the file to write.
      columns: titles and their pictures, one per row: uint8 RGB [H, W, 3], or maps [H, W], which are shown in grey
        from their minimum to their maximum.
      title: text above the pictures.

    Raises:
      ValueError: there are no pictures, or columns of different lengths.
    """
    rows = list(zip(*columns.values(), strict=True))
    if not rows:
        raise ValueError("save_comparison: no pictures.")
    height, width = rows[0][0].shape[:2]
    from matplotlib.figure import Figure  # takes half a second

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
