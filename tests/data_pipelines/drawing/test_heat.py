import numpy as np
import pytest

from data_pipelines.drawing.heat import blend, check_colormap
from data_pipelines.runtime.errors import UserError


def test_no_saliency_leaves_the_film_and_full_saliency_nearly_hides_it():
    picture = np.full((2, 2, 3), 100, np.uint8)
    blended = blend(picture, np.array([[0, 128], [200, 255]], np.uint8))
    np.testing.assert_array_equal(blended[0, 0], 100)
    change = np.abs(blended.astype(int) - 100).sum(-1)
    assert change[0, 0] < change[0, 1] < change[1, 0] < change[1, 1]
    assert blended[1, 1, 0] > 200  # bright


def test_opacity_is_the_share_of_the_heat_at_full_saliency():
    picture, full = np.full((1, 1, 3), 100, np.uint8), np.full((1, 1), 255, np.uint8)
    np.testing.assert_array_equal(blend(picture, full, opacity=0.0), picture)
    np.testing.assert_array_equal(blend(picture, full, "gray", opacity=1.0), 255)
    np.testing.assert_allclose(blend(picture, full, "gray", opacity=0.5), 178, atol=1)


def test_colormap_of_few_colours_spans_all_levels():
    levels = np.array([[0, 255]], np.uint8)
    blended = blend(np.zeros((1, 2, 3), np.uint8), levels, "tab10", opacity=1.0)
    np.testing.assert_array_equal(blended[0, 1], [23, 190, 207])  # its last


def test_wrong_colormap_is_one_line_that_lists_good_ones():
    check_colormap("viridis")
    with pytest.raises(UserError, match="--colormap infernal: .* inferno, magma"):
        check_colormap("infernal")
