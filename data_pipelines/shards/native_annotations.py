"""Annotations at the size in which they were recorded: a second dataset within the shards, only for scoring.

SHARDS/annotations has one record per frame, as the shards have: the density map's file, byte for byte, and the
positions of the fixated pixels. Training never opens these files.
"""

import dataclasses

import numpy as np

from data_pipelines.raw import layout
from data_pipelines.runtime.limits import MOST_PIXELS
from data_pipelines.shards.records import Record, record_errors_name

DATASET_NAME = "native_annotations"
FOLDER = "annotations"


@dataclasses.dataclass(frozen=True)
class AnnotationRecord:
    """The stored annotations of one frame.

    Attributes:
      density: encoded picture of the density map.
      fixations: int32 [N, 2], (row, column) of each fixated pixel, from 0.
      height, width: size of the fixation map in pixels.
    """

    density: bytes
    fixations: np.ndarray
    height: np.int32
    width: np.int32


def annotation_record(density: bytes, fixations: np.ndarray) -> AnnotationRecord:
    """Returns the record of an encoded density map and a fixation map [H, W]."""
    height, width = fixations.shape
    return AnnotationRecord(density, np.argwhere(fixations).astype(np.int32), np.int32(height), np.int32(width))


class NativeAnnotation:
    """The annotation of one frame, as read. Each map is decoded when it is asked for."""

    def __init__(self, record: Record):
        self._record = record

    @property
    def density(self) -> np.ndarray:
        """Density map, uint8 [H, W], 0 to 255."""
        with record_errors_name(self._record.source):
            encoded = self._record["density"]
        return layout.decode_density(encoded, self._record.source)

    @property
    def fixations(self) -> np.ndarray:
        """Fixation map, uint8 [H, W], 0 or 1."""
        with record_errors_name(self._record.source):
            height, width = (int(self._integers(key)[0]) for key in ("height", "width"))
            rows, columns = self._integers("fixations").reshape(-1, 2).T
            if not 0 < height * width <= MOST_PIXELS:
                raise ValueError(f"its size is {width}x{height}")
            fixations = np.zeros((height, width), np.uint8)
            fixations[rows, columns] = 1
            return fixations

    def _integers(self, key: str) -> np.ndarray:
        return np.frombuffer(self._record[key], np.int32)
