"""Reads fixations of AViMoS, NTIRE 2026 and CrowdSAL as gaze; see `ingestion.crowd_fixations`.

The files do not tell observers apart. The density maps are those of the saliency film in the folder beside. Without
it they are made from the fixations, with the same Gaussian as for any other gaze: that of the database is not known.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.crowd_fixations import (
    film_of,
    is_fixation_file,
    read_fixation_file,
    saliency_film_of,
)
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
    film = film_of(path)
    recording.add(film, values, CONVENTIONS, np.zeros(len(numbers), int), [""], counts_frames=True)
    recording.gaze[film] = replace(recording.gaze[film], density_film=saliency_film_of(path))
    return recording
