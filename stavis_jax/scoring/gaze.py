"""The fixations of a whole video, as positions: its fixation maps would fill the memory."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import AnnotationSource


@dataclasses.dataclass(frozen=True)
class Gaze:
    """Fixations of one video.

    Attributes:
        pixels: 1-based frame number -> int32 positions of its fixated pixels in the flattened map; a frame without
            annotation is absent.
        shape: height and width of the maps.
    """

    pixels: dict[int, np.ndarray]
    shape: tuple[int, int]

    def fixation_map(self, number: int) -> np.ndarray:
        """uint8 [H, W], 1 where the frame is fixated."""
        return self._map_of(self.pixels[number])

    def union(self) -> np.ndarray:
        """uint8 [H, W], 1 where any frame is fixated."""
        return self._map_of(np.concatenate(list(self.pixels.values()))) if self.pixels else self._map_of([])

    def counts(self, shape: tuple[int, int]) -> np.ndarray:
        """How many frames fixate each pixel, int64 [H, W] of another size: a pixel's centre goes where it falls."""
        positions = np.concatenate(list(self.pixels.values())) if self.pixels else np.zeros(0, np.int32)
        rows, columns = np.divmod(positions, self.shape[1] or 1)
        if shape != self.shape:
            rows = (2 * rows.astype(np.int64) + 1) * shape[0] // (2 * self.shape[0] or 1)
            columns = (2 * columns.astype(np.int64) + 1) * shape[1] // (2 * self.shape[1] or 1)
        flat = rows.astype(np.int64) * shape[1] + columns
        return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)

    def _map_of(self, pixels: np.ndarray) -> np.ndarray:
        fixation_map = np.zeros(self.shape, np.uint8)
        fixation_map.flat[pixels] = 1
        return fixation_map


def read_gaze(annotations: AnnotationSource, database: str, video: str, num_frames: int) -> Gaze:
    """The fixations of all frames of a video. Raises UserError if its fixation maps differ in size."""
    pixels: dict[int, np.ndarray] = {}
    shape: tuple[int, int] | None = None
    for number in range(1, num_frames + 1):
        fixation_map = annotations.fixations(database, video, number)
        if fixation_map is None:
            continue
        shape = shape or fixation_map.shape
        if fixation_map.shape != shape:
            raise UserError(
                f"{database}/{video}, frame {number}: its fixation map is {size_of(fixation_map.shape)}, earlier ones "
                f"of the video are {size_of(shape)}. Bring all to one size."
            )
        pixels[number] = np.flatnonzero(fixation_map).astype(np.int32)
    return Gaze(pixels, shape or (0, 0))


def counts_of(others: Iterable[Gaze], shape: tuple[int, int]) -> np.ndarray:
    """Fixations of several videos on one frame's pixels, int64 [H, W]."""
    return sum((gaze.counts(shape) for gaze in others), np.zeros(shape, np.int64))


def size_of(shape: tuple[int, int]) -> str:
    return f"{shape[1]}x{shape[0]}"
