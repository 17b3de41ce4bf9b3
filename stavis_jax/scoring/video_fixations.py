"""Fixations of a whole video, kept as pixel positions: its fixation maps would fill the memory."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.annotations import AnnotationSource


@dataclasses.dataclass(frozen=True)
class VideoFixations:
    """Fixations of one video.

    Attributes:
        pixels: 1-based frame number -> positions of its fixated pixels in the flattened map, int32. Frames without
            annotation are absent. A pixel may occur several times, if the annotation counts fixations.
        shape: height and width of the maps in pixels.
    """

    pixels: dict[int, np.ndarray]
    shape: tuple[int, int]

    def fixation_map(self, number: int) -> np.ndarray:
        """Returns uint8 [H, W], 1 where the frame is fixated."""
        return self._map_of(self.pixels[number])

    def union(self) -> np.ndarray:
        """Returns uint8 [H, W], 1 where any frame is fixated."""
        return self._map_of(self._all_pixels())

    def counts(self, shape: tuple[int, int]) -> np.ndarray:
        """Returns how many frames fixate each pixel, int64 [H, W] of the given shape.

        A fixation counts for the pixel that the centre of its own pixel falls on.
        """
        flat = self._on(shape, self._all_pixels())
        return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)

    def pixels_on(self, shape: tuple[int, int], number: int) -> np.ndarray:
        """Returns the fixated pixels of a frame as positions in a flattened map of another shape, int64 [N]."""
        return self._on(shape, self.pixels[number])

    def points(self, number: int) -> np.ndarray:
        """Returns the row and column of each fixation of a frame, int [N, 2]."""
        return np.column_stack(np.divmod(self.pixels[number], self.shape[1] or 1))

    def _on(self, shape: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
        """Returns positions in a flattened map of the given shape, int64 [N]."""
        rows, columns = np.divmod(pixels, self.shape[1] or 1)
        if shape != self.shape:
            rows = (2 * rows.astype(np.int64) + 1) * shape[0] // (2 * self.shape[0] or 1)
            columns = (2 * columns.astype(np.int64) + 1) * shape[1] // (2 * self.shape[1] or 1)
        return rows.astype(np.int64) * shape[1] + columns

    def _all_pixels(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int32), *self.pixels.values()])

    def _map_of(self, pixels: np.ndarray) -> np.ndarray:
        fixation_map = np.zeros(self.shape, np.uint8)
        fixation_map.flat[pixels] = 1
        return fixation_map


def read_video_fixations(annotations: AnnotationSource, database: str, video: str, num_frames: int) -> VideoFixations:
    """Reads the fixations of all frames of a video. Raises UserError if its fixation maps differ in size."""
    pixels: dict[int, np.ndarray] = {}
    shape: tuple[int, int] | None = None
    for number in range(1, num_frames + 1):
        fixation_map = annotations.fixations(database, video, number)
        if fixation_map is None:
            continue
        shape = shape or fixation_map.shape
        if fixation_map.shape != shape:
            raise UserError(
                f"{database}/{video}, frame {number}: its fixation map is {size_text(fixation_map.shape)}, earlier "
                f"ones of the video are {size_text(shape)}. Bring all to one size."
            )
        pixels[number] = np.flatnonzero(fixation_map).astype(np.int32)
    return VideoFixations(pixels, shape or (0, 0))


def total_counts(videos: Iterable[VideoFixations], shape: tuple[int, int]) -> np.ndarray:
    """Returns the fixations of several videos on the pixels of one frame, int64 [H, W]."""
    return sum((video.counts(shape) for video in videos), np.zeros(shape, np.int64))


def size_text(shape: tuple[int, int]) -> str:
    """Returns "WIDTHxHEIGHT"."""
    return f"{shape[1]}x{shape[0]}"
