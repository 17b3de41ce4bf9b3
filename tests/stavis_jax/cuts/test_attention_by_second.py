import numpy as np
import pytest

from stavis_jax.cuts.attention_by_second import attention_by_second, difference
from stavis_jax.cuts.cut import TimedMap
from stavis_jax.maps.regions import Region


def spot(row: int, column: int, size: int = 32) -> np.ndarray:
    saliency = np.zeros((size, size), np.float32)
    saliency[row, column] = 1
    return saliency


def cut(*maps, rate_hz: float = 4):
    return [TimedMap(number / rate_hz, saliency) for number, saliency in enumerate(maps)]


def test_seconds_are_means_of_their_frames_and_the_film_of_all_frames():
    found = attention_by_second(cut(*[spot(16, 16)] * 4, *[spot(0, 0)] * 2))
    assert (found.num_frames, list(found.seconds)) == (6, [0, 1])
    assert (found.seconds[0].centre_share, found.seconds[1].centre_share) == (1, 0)
    assert found.centre_share == pytest.approx(4 / 6) and found.concentration == pytest.approx(1)
    assert found.seconds[1].centre() == pytest.approx((1 / 32, 1 / 32))


def test_difference_is_0_for_equal_cuts_1_for_disjoint_ones_and_half_for_half():
    both = cut(spot(0, 0), spot(31, 31))
    one, other, mixed = (attention_by_second(maps).seconds[0] for maps in (both[:1], both[1:], both))
    assert (difference(one, one), difference(one, other), difference(one, mixed)) == (0, 1, 0.5)


def test_maps_of_other_sizes_are_compared():
    one, other = (attention_by_second(cut(spot(size // 2, 0, size))).seconds[0] for size in (32, 112))
    assert difference(one, other) == pytest.approx(0)


def test_regions_have_shares_of_each_second_and_a_summary():
    region = Region("left", (0.0,), ((0.0, 0.0, 0.5, 1.0),), end_second=1.5)
    found = attention_by_second(cut(*[spot(5, 30)] * 4, *[spot(5, 1)] * 4, *[spot(5, 1)] * 4), [region])
    assert [second.region_shares["left"] for second in found.seconds.values()] == [
        0,
        1,
        pytest.approx(np.nan, nan_ok=True),
    ]
    summary = found.regions["left"]
    assert (summary.num_frames, summary.first_look_seconds) == (6, 1.0)
    assert summary.fixation_share == pytest.approx(2 / 6)
