import math

import numpy as np
import pytest

from stavis_jax import metrics
from stavis_jax.metrics import MeasuredMap

KINDS = ["stretched", "8-bit", "far from zero", "float32"]


@pytest.fixture(params=KINDS)
def values(rng, request):
    stretched = rng.random((200, 300))  # more pixels than a block
    return {
        "stretched": stretched,
        "8-bit": (255 * stretched).astype(np.uint8),
        "far from zero": 1e4 + stretched,
        "float32": stretched.astype(np.float32),
    }[request.param]


def test_sums_of_a_map_agree_with_numpy(values):
    found, exact = MeasuredMap(values), values.astype(np.float64)
    assert (found.lowest, found.highest) == (exact.min(), exact.max())
    assert found.total == pytest.approx(exact.sum(), rel=1e-14)
    assert found.mean == pytest.approx(exact.mean(), rel=1e-14)
    assert found.squares == pytest.approx(exact.var() * exact.size, rel=1e-11)
    assert found.mass == pytest.approx((exact - exact.min()).sum(), rel=1e-12)


def test_metrics_of_a_measured_map_are_those_of_its_values(rng, values):
    fixations = (rng.random(values.shape) < 0.01).astype(np.uint8)
    others, density = np.roll(fixations, 3, axis=1), rng.integers(0, 256, values.shape).astype(np.uint8)
    saliency, measured_density = MeasuredMap(values), MeasuredMap(density)
    for metric in (metrics.cc, metrics.sim, metrics.kl_divergence):
        assert metric(saliency, measured_density) == metric(values, density)
    for metric in (metrics.nss, metrics.auc_judd):
        assert metric(saliency, fixations) == metric(values, fixations)
    assert metrics.shuffled_auc(saliency, fixations, others) == metrics.shuffled_auc(values, fixations, others)
    assert metrics.information_gain(saliency, fixations, measured_density) == metrics.information_gain(
        values, fixations, density
    )


def test_map_that_holds_a_nan_has_no_extremes(rng):
    values = rng.random((200, 300))
    values[150, 7] = np.nan
    found = MeasuredMap(values)
    assert found.has_nan
    assert math.isnan(found.lowest) and math.isnan(found.highest)
    assert not found.is_constant


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5])
def test_constant_map_is_constant_and_varies_by_nothing(level):
    found = MeasuredMap(np.full((200, 300), level))
    assert found.is_constant
    assert found.squares == pytest.approx(0, abs=1e-20)
