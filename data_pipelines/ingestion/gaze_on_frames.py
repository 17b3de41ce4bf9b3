"""Finds the frames on which each gaze point of a film is seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from data_pipelines.ingestion.gaze import GazeTable

POINT_DECIMALS = 6  # of pixels: 9.9999999 is pixel 10
CLOCK_TOLERANCE_SECONDS = 0.5e-3  # many tables have times in whole milliseconds


@dataclass(frozen=True)
class FrameGaze:
    """The gaze on the frames of a film, in the order of the frames. A fixation occurs once for each of its frames.

    Attributes:
      frames: frame numbers from 1, int [N].
      points: (x, y) in pixels of the frames written, int [N, 2].
      observers: names, object [N]; empty if the tables do not say.
      num_outside: gaze points left out because they are outside the picture.
      num_untimely: gaze points left out because they are before or after the film.
      outside_frames: frame of each timely point outside the picture, int [M].
      outside_points: (x, y) of these points in pixels of the frames written, float64 [M, 2].
    """

    frames: np.ndarray
    points: np.ndarray
    observers: np.ndarray
    num_outside: int
    num_untimely: int
    outside_frames: np.ndarray
    outside_points: np.ndarray

    def points_of_frames(self, num_frames: int) -> Iterator[np.ndarray]:
        """Yields the points of each frame from 1 on, int [n, 2]."""
        bounds = np.searchsorted(self.frames, np.arange(1, num_frames + 2))
        for begin, end in pairwise(bounds):
            yield self.points[begin:end]

    def rows_by_observer(self) -> list[tuple[str, int, int, int]]:
        """Returns observer, frame, x and y of every point once; nothing if the tables do not tell observers apart."""
        names, numbers = np.unique(self.observers.astype(str), return_inverse=True)
        if len(names) < 2:
            return []
        rows = np.unique(np.column_stack([self.frames, numbers, self.points]), axis=0)
        return [(str(names[observer]), frame, x, y) for frame, observer, x, y in rows.tolist()]


def gaze_on_frames(
    tables: Sequence[GazeTable],
    times: np.ndarray,
    film_size: tuple[int, int],
    frame_size: tuple[int, int],
    pixel_aspect: float = 1,
) -> FrameGaze:
    """Returns the gaze on the frames of a film.

    Args:
      tables: the gaze of the film, each with its unit (`conventions.units`).
      times: float64 [N + 1], seconds since the first frame at which each frame appears, and the end of the last one.
      film_size: (width, height) of the film in pixels.
      frame_size: (width, height) of the frames written, in pixels.
      pixel_aspect: width over height of the film's pixels on a screen.
    """
    parts, outside, num_outside, num_untimely = [], [], 0, 0
    for table in tables:
        units = table.conventions.units or "pixels"
        x_and_y = table.conventions.viewing.on_film(table.x, table.y, units, film_size, pixel_aspect)
        points = np.stack(x_and_y, axis=1).round(POINT_DECIMALS)
        inside = ((points >= 0) & (points < film_size)).all(axis=1)
        first, last = frames_of(table, times)
        timely = first <= last
        num_outside += int(np.count_nonzero(~inside))
        num_untimely += int(np.count_nonzero(inside & ~timely))
        beside = np.flatnonzero(~inside & timely)
        outside.append((first[beside] + 1, points[beside] * frame_size / np.array(film_size)))
        kept = np.flatnonzero(inside & timely)
        on_frame = np.floor(points[kept] * frame_size / np.array(film_size)).astype(int)
        lengths = last[kept] - first[kept] + 1
        rows = np.repeat(np.arange(len(kept)), lengths)
        since_first = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        observers = np.array(table.observers, object)[table.observer[kept]]
        parts.append((first[kept][rows] + since_first + 1, on_frame[rows], observers[rows]))
    frames, points, observers = (np.concatenate(part) for part in zip(*parts, strict=True))
    outside_frames, outside_points = (np.concatenate(part) for part in zip(*outside, strict=True))
    order = np.argsort(frames, kind="stable")
    points = np.minimum(points[order], np.array(frame_size) - 1)
    return FrameGaze(frames[order], points, observers[order], num_outside, num_untimely, outside_frames, outside_points)


def frames_of(gaze: GazeTable, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first and the last frame on which each row is seen, int [N], counted from 0.

    A sample belongs to the frame on the screen at its time, a fixation to every frame on the screen while it lasts. For
    a row before or after the film, the first frame is larger than the last.

    Args:
      gaze: the rows.
      times: see `gaze_on_frames`. Frame i is on the screen from times[i] until times[i + 1].
    """
    if gaze.counts_frames:
        numbers = np.minimum(gaze.starts, len(times)).astype(int) - 1
        starts = times[numbers]
    else:
        starts = gaze.starts
    ends = starts + gaze.durations
    first = np.searchsorted(times, starts + CLOCK_TOLERANCE_SECONDS, side="right") - 1
    last = np.searchsorted(times, ends - CLOCK_TOLERANCE_SECONDS, side="left") - 1  # a fixation's end is exclusive
    last = np.maximum(last, first)
    untimely = (first > len(times) - 2) | (last < 0)
    return np.where(untimely, 0, np.maximum(first, 0)), np.where(untimely, -1, np.minimum(last, len(times) - 2))
