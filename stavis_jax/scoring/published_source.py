"""The gaze of a benchmark as it is published, for scoring without a conversion to raw data."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from data_pipelines.shards.annotations import AnnotationSource
from stavis_jax.scoring.video_fixations import VideoFixations


@runtime_checkable
class PublishedSource(AnnotationSource, Protocol):
    """Annotations in a benchmark's own layout. They have one split, 1, and one database."""

    def video_fixations(self, database: str, video: str) -> VideoFixations:
        """Returns the fixations of a video. A pixel occurs as often as it was fixated, if the benchmark tells.

        Raises:
            UserError: a file cannot be read.
        """

    def from_frame_one(self, database: str, video: str, maps: Mapping[int, np.ndarray]) -> Mapping[int, np.ndarray]:
        """Returns predicted maps by frame number from 1. They may be numbered as the benchmark numbers its own maps."""
