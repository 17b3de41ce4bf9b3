"""What a reader of gaze files returns, for all formats."""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.gaze import Conventions, GazeTable


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
        conventions: Conventions,
        observer: np.ndarray,
        observers: Sequence[str],
        counts_frames: bool = False,
    ) -> None:
        """Adds the gaze of one video. Leaves out rows with NaN.

        Args:
          video: its name.
          rows: float64 [N, 4]: start, duration, x and y; see `GazeTable`.
          conventions: what the file, or its database, says of the recording.
          observer: int [N], places in `observers`.
          observers: names.
          counts_frames: whether starts are frame numbers from 1.
        """
        kept = np.isfinite(rows).all(axis=1)
        self.num_rows += len(rows)
        self.num_missing += int(np.count_nonzero(~kept))
        starts, durations, x, y = rows[kept].T
        self.gaze[video] = GazeTable(
            starts, durations, x, y, counts_frames, observer[kept], tuple(observers), conventions
        )


class GazeRows:
    """Collects the rows of a recording one by one."""

    def __init__(self) -> None:
        self._videos: dict[str, tuple[array, array, dict[str, int]]] = {}

    def add(self, video: str, observer: str, start: float, duration: float, x: float, y: float) -> None:
        """Adds a sample or a fixation, in seconds and the unit of the file. NaN and (0, 0) are lost eyes."""
        rows, whose, observers = self._videos.setdefault(video, (array("d"), array("l"), {}))
        rows.extend((start, duration, math.nan if x == y == 0 else x, y))
        whose.append(observers.setdefault(observer, len(observers)))

    def recording(self, conventions: Callable[[str], Conventions]) -> Recording:
        """Returns the rows. `conventions`: video -> what the file says of it."""
        recording = Recording()
        for video, (rows, whose, observers) in self._videos.items():
            values = np.array(rows).reshape(-1, 4)
            recording.add(video, values, conventions(video), np.array(whose), list(observers))
        return recording


def observer_of(path: Path, film: str) -> str:
    """Returns the observer that a file is named after; empty if it is named after its film."""
    return path.stem if film != path.stem else ""


def mean_of_eyes(left: tuple[float, float], right: tuple[float, float]) -> tuple[float, float]:
    """Returns the position between both eyes, or that of the one that is not lost: NaN, or at (0, 0)."""
    seen = [eye for eye in (left, right) if not math.isnan(sum(eye)) and eye != (0, 0)]
    if not seen:
        return math.nan, math.nan
    return sum(x for x, _ in seen) / len(seen), sum(y for _, y in seen) / len(seen)
