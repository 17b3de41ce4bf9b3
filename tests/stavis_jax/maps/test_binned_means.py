import numpy as np
import pytest

from stavis_jax.maps.binned_means import BinnedMeans


@pytest.mark.parametrize("num_frames", [1, 5, 40, 41, 333])
def test_bins_are_few_and_cover_every_frame_once(num_frames):
    means = BinnedMeans(frames_per_bin=5, most_bins=8)
    for number in range(num_frames):
        means.add(np.array([float(number)]))
    bins = means.bins()
    assert len(bins) <= 8
    frames = [frame for part in bins for frame in range(part.first, part.first + part.num_frames)]
    assert frames == list(range(num_frames))
    for part in bins:
        assert part.mean == pytest.approx(part.first + (part.num_frames - 1) / 2)


def test_frames_without_a_value_do_not_count():
    means = BinnedMeans(frames_per_bin=2, most_bins=4)
    for values in ([1, np.nan], [3, np.nan], [5, np.nan], [np.nan, 4]):
        means.add(np.array(values, float))
    np.testing.assert_array_equal([part.mean for part in means.bins()], [[2, np.nan], [5, 4]])
