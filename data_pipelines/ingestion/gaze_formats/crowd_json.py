"""AViMoS', NTIRE 2026's and CrowdSAL's fixations as gaze; see `ingestion.crowd_fixations`.

The files do not tell observers apart. The Gaussian of the published maps is not stated where we have looked, so none is
assumed: the default of other gaze applies, or --sigma.
"""

from pathlib import Path

import numpy as np

from data_pipelines.ingestion.crowd_fixations import film_of, is_fixation_file, read_fixation_file
from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import Recording

CONVENTIONS = Conventions("AViMoS, CrowdSAL", "pixels", clock="frames from 1")


def looks_like(path: Path, head: bytes) -> bool:
    return is_fixation_file(path, head)


def read(path: Path, film: str) -> Recording:
    frames = read_fixation_file(path)
    numbers = np.repeat(np.arange(1, len(frames) + 1), [len(points) for points in frames])
    rows, columns = np.concatenate([np.zeros((0, 2), int), *frames]).T
    values = np.column_stack([numbers, np.zeros(len(numbers)), columns + 0.5, rows + 0.5])  # centres of pixels
    recording = Recording()
    recording.add(film_of(path), values, CONVENTIONS, np.zeros(len(numbers), int), [""], counts_frames=True)
    return recording
