import json
from pathlib import Path

import numpy as np
import pytest

GOLDEN_METRICS = Path(__file__).parents[2] / "golden_metrics"


@pytest.fixture(scope="session")
def golden_values():
    """Values that the benchmark's MATLAB code gave under Octave."""
    return json.loads((GOLDEN_METRICS / "metrics.json").read_text())


@pytest.fixture(scope="session")
def golden_maps():
    with np.load(GOLDEN_METRICS / "maps.npz") as maps:
        return dict(maps)


@pytest.fixture(scope="session")
def golden_inputs():
    with np.load(GOLDEN_METRICS / "cases.npz") as cases:
        return dict(cases)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def fixation_map():
    """Three fixations on 12x16 pixels."""
    fixations = np.zeros((12, 16), np.uint8)
    fixations[[2, 5, 9], [3, 8, 12]] = 1
    return fixations
