"""Checks the samples of a sound, which files with floating points may hold in any scale."""

from pathlib import Path

import numpy as np

from data_pipelines.runtime.errors import UserError

LOUDEST = 16.0  # times full scale; more is another scale, such as that of 16-bit samples


def checked_samples(samples: np.ndarray, path: Path) -> np.ndarray:
    """Returns samples whose full scale is 1. Raises UserError if some are not numbers, or have another scale."""
    loudest = np.abs(samples).max(initial=0)
    if not np.isfinite(loudest):
        raise UserError(f"{path}: has samples that are not numbers. Give another sound.")
    if loudest > LOUDEST:
        raise UserError(f"{path}: has samples up to {loudest:.0f}, where 1 is full scale. Save it as 16-bit WAV.")
    return samples
