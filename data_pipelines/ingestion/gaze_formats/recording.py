"""What a reader of gaze files returns, for all formats."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data_pipelines.ingestion.gaze import GazeTable, Known


@dataclass
class Recording:
    """The gaze in one file.

    Attributes:
      gaze: name of the video -> its gaze.
      num_rows: samples or fixations in the file.
      num_missing: of them, those without time or position, which are left out.
    """

    gaze: dict[str, GazeTable] = field(default_factory=dict)
    num_rows: int = 0
    num_missing: int = 0

    def add(
        self,
        video: str,
        rows: np.ndarray,
        known: Known,
        observer: np.ndarray,
        observers: Sequence[str],
        counts_frames: bool = False,
    ) -> None:
        """Adds the gaze of one video. Leaves out rows with NaN.

        Args:
          video: its name.
          rows: float64 [N, 4]: start, duration, x and y; see `GazeTable`.
          known: what the file, or its database, says of the recording.
          observer: int [N], places in `observers`.
          observers: names.
          counts_frames: whether starts are frame numbers from 1.
        """
        kept = np.isfinite(rows).all(axis=1)
        self.num_rows += len(rows)
        self.num_missing += int(np.count_nonzero(~kept))
        starts, durations, x, y = rows[kept].T
        self.gaze[video] = GazeTable(starts, durations, x, y, counts_frames, observer[kept], tuple(observers), known)
