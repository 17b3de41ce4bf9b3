import math

import numpy as np
import pytest

from stavis_jax.metrics import cc


def test_cc_is_the_correlation_coefficient(rng):
    saliency_map, density = rng.random((12, 16)), rng.random((12, 16))
    expected = np.corrcoef(saliency_map.ravel(), density.ravel())[0, 1]
    assert cc(saliency_map, density) == pytest.approx(expected, abs=1e-14)


def test_cc_ignores_scale_and_flips_with_the_sign(rng):
    density = rng.integers(0, 256, (12, 16)).astype(np.uint8)
    assert cc(0.1 + 3.0 * density, density) == pytest.approx(1, abs=1e-14)
    assert cc(-1.0 * density, density / 255) == pytest.approx(-1, abs=1e-14)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5])
def test_constant_map_has_no_cc(rng, level):
    constant, other = np.full((12, 16), level), rng.random((12, 16))
    assert math.isnan(cc(constant, other))
    assert math.isnan(cc(other, constant))


def test_cc_of_a_map_of_nan_is_nan(rng):
    assert math.isnan(cc(np.full((12, 16), np.nan), rng.random((12, 16))))


def test_cc_refuses_maps_of_different_size(rng):
    with pytest.raises(ValueError, match="shape"):
        cc(rng.random((12, 16)), rng.random((12, 1)))
