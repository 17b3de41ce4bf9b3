"""TensorBoard's files, written without tensorflow: curves, and pictures of the network's inputs and outputs."""

import time
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import tensorboardX

from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.models.stavis import Outputs

ROWS = 4  # clips shown


class TensorBoard:
    """Writes to a folder that `tensorboard --logdir` reads. Removes what an earlier run wrote after `done_steps`."""

    def __init__(self, folder: Path, done_steps: int):
        self._folder = folder
        self._writer = self._open(done_steps)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *_) -> None:
        self._writer.close()

    def go_back(self, done_steps: int) -> None:
        """Removes what was written after `done_steps`."""
        self._writer.close()
        self._writer = self._open(done_steps)

    def _open(self, done_steps: int) -> tensorboardX.SummaryWriter:
        # A file is named by the second it is made in. The suffix keeps it from replacing an earlier run's.
        suffix = f".{time.time_ns()}"
        return tensorboardX.SummaryWriter(str(self._folder), purge_step=done_steps + 1, filename_suffix=suffix)

    def scalars(self, prefix: str, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{prefix}/{name}", value, step)

    def pictures(self, batch: Mapping[str, np.ndarray], outputs: Outputs, step: int) -> None:
        """Writes the picture that `clip_pictures` makes."""
        self._writer.add_image("validation/clips", clip_pictures(batch, outputs), step, dataformats="HWC")
        self._writer.flush()


def clip_pictures(batch: Mapping[str, np.ndarray], outputs: Outputs, rows: int = ROWS) -> np.ndarray:
    """Returns a picture with one row per clip.

    Its columns are the middle frame, density map, prediction, attention of stages 1 to 4, and localisation, if there is
    any.

    Args:
      batch: clip uint8 [B, T, H, W, 3], density [B, H, W].
      outputs: the network's outputs for that batch, on the host. The column shows the mean of the localisation maps.
      rows: clips to show.

    Returns:
      uint8 [rows * H, columns * W, 3].
    """
    height, width = batch["density"].shape[1:]

    def grey(values: np.ndarray) -> np.ndarray:
        return np.repeat(saliency_picture(values, (width, height))[..., None], 3, axis=2)

    pictures = []
    for i in range(min(rows, len(batch["density"]))):
        frame = batch["clip"][i, batch["clip"].shape[1] // 2]
        maps = [batch["density"][i], np.asarray(jax.nn.sigmoid(outputs.logits[i]))]
        maps += [attention[i] for attention in outputs.attention]
        if outputs.localization is not None:
            maps.append(outputs.localization[i].mean(axis=-1))
        columns = [frame, *(grey(np.asarray(m, np.float32)) for m in maps)]
        pictures.append(np.concatenate(columns, axis=1))
    return np.concatenate(pictures)
