import numpy as np
import pytest

from stavis_jax.maps.attention import attention_mass, concentration, coverage, share_in


def test_constant_background_has_no_share_and_a_constant_map_is_uniform():
    saliency = np.full((4, 4), 0.25, np.float32)
    np.testing.assert_allclose(attention_mass(saliency), 1 / 16)
    saliency[1, 2] = 1
    assert attention_mass(saliency)[1, 2] == pytest.approx(1)


def test_concentration_is_0_of_a_constant_map_and_1_of_one_pixel():
    assert concentration(np.full((8, 8), 1 / 64)) == pytest.approx(0)
    assert concentration(np.eye(1, 64).reshape(8, 8)) == pytest.approx(1)
    assert concentration(np.eye(8) / 8) == pytest.approx(0.5)


def test_cells_that_an_interval_covers_in_part_count_in_part():
    np.testing.assert_allclose(coverage(0.125, 0.625, 4), [0.5, 1, 0.5, 0])


def test_shares_of_boxes_that_tile_the_picture_sum_to_1():
    mass = attention_mass(np.random.default_rng(0).random((7, 5)))
    boxes = [(x, y, 0.3 if x == 0 else 0.7, 0.45 if y == 0 else 0.55) for x in (0, 0.3) for y in (0, 0.45)]
    assert sum(share_in(mass, box) for box in boxes) == pytest.approx(1)
    assert share_in(np.full((7, 5), 1 / 35), (0.1, 0.2, 0.3, 0.4)) == pytest.approx(0.3 * 0.4)
