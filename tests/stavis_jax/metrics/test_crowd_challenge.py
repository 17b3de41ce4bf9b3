"""The challenge's metrics beside values worked out by hand and slow loops written from the definitions."""

import math
from itertools import pairwise

import numpy as np
import pytest

from stavis_jax.metrics.crowd_challenge import (
    crowd_auc_judd,
    crowd_cc,
    crowd_nss,
    crowd_sim,
    resize_linear,
    stretched,
)

ATOL = 1e-9  # float64, small maps


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_stretch_reaches_from_zero_to_just_below_one():
    found = stretched(np.array([[10, 20], [30, 50]], np.uint8))
    assert found == pytest.approx(np.array([[0, 0.25], [0.5, 1]]), abs=1e-8)
    assert not stretched(np.full((2, 2), 7, np.uint8)).any()


def test_linear_resize_of_two_pixels_to_four():
    # Centres of the four pixels lie at -0.25, 0.25, 0.75, 1.25 of the two: the outer ones repeat the edge.
    assert resize_linear([[0.0, 1.0]], (1, 4)).tolist() == [[0, 0.25, 0.75, 1]]


def test_linear_resize_to_half_is_the_mean_of_pairs():
    assert resize_linear([[0.0, 1.0, 4.0, 8.0]], (1, 2)).tolist() == [[0.5, 6.0]]


def test_linear_resize_keeps_a_map_of_the_same_size(rng):
    values = rng.random((5, 7))
    assert np.array_equal(resize_linear(values, (5, 7)), values)


def test_linear_resize_skips_pixels_when_it_shrinks_more():
    # No antialiasing: of six pixels to two, each takes the one pixel in the middle of its three.
    assert resize_linear([[0.0, 1.0, 0.0, 0.0, 4.0, 0.0]], (1, 2)).tolist() == [[1.0, 4.0]]


def test_sim_of_half_overlapping_masses():
    assert crowd_sim(np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, 1.0, 1.0]])) == pytest.approx(0.5, abs=1e-6)


def test_cc_is_one_for_a_scaled_copy_and_zero_for_a_constant(rng):
    values = rng.random((6, 8))
    assert crowd_cc(values, 3 * values + 2) == pytest.approx(1, abs=1e-6)
    assert crowd_cc(values, 5 - values) == pytest.approx(-1, abs=1e-6)
    assert crowd_cc(np.zeros((6, 8)), values) == 0  # the challenge gives a black map a score


def test_nss_counts_a_pixel_as_often_as_it_is_fixated():
    # Mean 1, population deviation sqrt(3): 4 lies sqrt(3) deviations above the mean, 0 lies 1 / sqrt(3) below.
    saliency = np.array([[0.0, 0.0], [0.0, 4.0]])
    twice = np.array([[1, 1], [1, 1], [0, 0]])
    expected = (2 * math.sqrt(3) - 1 / math.sqrt(3)) / 3
    assert crowd_nss(saliency, twice) == pytest.approx(expected, abs=1e-6)


def test_auc_judd_of_four_pixels_by_hand():
    # Values at the fixations: 0.9 and 0.2. At 0.9: 1 pixel, no false alarm. At 0.2: 3 pixels, 1 of 4 - 2 is false.
    # Trapezoids: from (0, .5) to (.5, 1) 0.375, from (.5, 1) to (1, 1) 0.5.
    saliency = np.array([[0.9, 0.5], [0.2, 0.1]])
    assert crowd_auc_judd(saliency, np.array([[0, 0], [1, 0]])) == pytest.approx(0.875, abs=ATOL)


def test_auc_judd_counts_one_negative_less_where_rows_equal_columns():
    saliency = np.array([[0.9, 0.5], [0.1, 0.2]])
    # Both fixations are on the diagonal, so the program's count of distinct columns is 1: 1 of 4 - 1 is false.
    # Trapezoids: from (0, .5) to (1/3, 1) 0.25, from (1/3, 1) to (1, 1) 2/3.
    assert crowd_auc_judd(saliency, np.array([[0, 0], [1, 1]])) == pytest.approx(0.25 + 2 / 3, abs=ATOL)


def test_no_fixations_have_no_nss_and_no_auc():
    nobody = np.zeros((0, 2), int)
    assert math.isnan(crowd_nss(np.eye(3), nobody)) and math.isnan(crowd_auc_judd(np.eye(3), nobody))


def test_metrics_agree_with_loops_over_pixels(rng):
    saliency, density = rng.random((7, 9)).round(1), rng.random((7, 9))  # rounded: with ties
    points = np.column_stack([rng.integers(0, 7, 12), rng.integers(0, 9, 12)])
    points = np.concatenate([points, points[:4]])  # some twice
    assert crowd_nss(saliency, points) == pytest.approx(_nss(saliency, points), abs=1e-6)
    assert crowd_auc_judd(saliency, points) == pytest.approx(_auc(saliency, points), abs=ATOL)
    assert crowd_cc(saliency, density) == pytest.approx(np.corrcoef(saliency.ravel(), density.ravel())[0, 1], abs=1e-6)
    shares = zip((saliency / saliency.sum()).ravel(), (density / density.sum()).ravel(), strict=True)
    assert crowd_sim(saliency, density) == pytest.approx(sum(min(pair) for pair in shares), abs=1e-6)


def _nss(saliency, points):
    values = [saliency[row, column] for row, column in points]
    return (sum(values) / len(values) - saliency.mean()) / math.sqrt(((saliency - saliency.mean()) ** 2).mean())


def _auc(saliency, points):
    corners = [(0.0, 0.0)]
    for k, threshold in enumerate(sorted((saliency[row, column] for row, column in points), reverse=True), start=1):
        above = sum(1 for value in saliency.ravel() if value >= threshold)
        corners.append(((above - k) / (saliency.size - 2), k / len(points)))
    corners.append((1.0, 1.0))
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(corners))
