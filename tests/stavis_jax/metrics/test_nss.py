import math

import numpy as np
import pytest

from stavis_jax.metrics import nss


def test_nss_is_the_mean_z_score_at_fixations(rng, fixation_map):
    saliency_map = rng.random((12, 16))
    z = (saliency_map - saliency_map.mean()) / saliency_map.std(ddof=1)
    assert nss(saliency_map, fixation_map) == pytest.approx(z[fixation_map == 1].mean(), abs=1e-13)


def test_pixel_fixated_twice_counts_once(rng, fixation_map):
    saliency_map = rng.random((12, 16))
    counts = fixation_map.copy()
    counts[2, 3] = 2
    assert nss(saliency_map, counts) == nss(saliency_map, fixation_map)


def test_map_that_is_bright_only_at_fixations_scores_high(fixation_map):
    assert nss(fixation_map.astype(float), fixation_map) > 7
    assert nss(1 - fixation_map.astype(float), fixation_map) < -7


def test_nss_needs_fixations_and_a_map_that_varies(rng, fixation_map):
    assert math.isnan(nss(rng.random((12, 16)), np.zeros((12, 16), np.uint8)))
    assert math.isnan(nss(np.full((12, 16), 0.1), fixation_map))
    assert math.isnan(nss(np.full((12, 16), np.nan), fixation_map))


def test_nss_refuses_maps_of_different_size(rng, fixation_map):
    with pytest.raises(ValueError, match="shape"):
        nss(rng.random((6, 8)), fixation_map)
