import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.panes import PaneGrid, check_panes, mean_attention
from stavis_jax.prediction.frame_prediction import FramePrediction

BOTH = ("localization", "attention")


@pytest.mark.parametrize(
    ("film", "view", "panes", "expected"),
    [
        ((641, 361), "overlay", (), (640, 360)),
        ((5000, 3000), "overlay", (), (5000, 3000)),
        ((640, 360), "side-by-side", (), (1284, 360)),
        ((640, 360), "overlay", ("attention",), (1284, 360)),
        ((640, 360), "overlay", BOTH, (1284, 724)),
        ((640, 360), "side-by-side", BOTH, (1284, 724)),
        ((360, 640), "side-by-side", BOTH, (1452, 640)),
    ],
)
def test_grid_is_about_as_wide_as_a_screen(film, view, panes, expected):
    assert PaneGrid(film, view, panes, "inferno", 0.75).size == expected


@pytest.mark.parametrize("film", [(1921, 1081), (1080, 1920), (4096, 2160), (7, 5), (1, 1), (3000, 20)])
@pytest.mark.parametrize("panes", [(), ("attention",), BOTH])
def test_several_panes_are_even_and_playable(film, panes):
    grid = PaneGrid(film, "side-by-side", panes, "inferno", 0.75)
    width, height = grid.size
    assert width % 2 == height % 2 == 0
    assert width <= 3840 and height <= 2160
    picture = np.zeros((film[1], film[0], 3), np.uint8)
    assert grid.draw(picture, FramePrediction(1, 0.0, np.ones((8, 8), np.float32))).shape == (height, width, 3)


def test_panes_are_named():
    grid = PaneGrid((320, 240), "side-by-side", (), "inferno", 0.75)
    drawn = grid.draw(np.full((240, 320, 3), 100, np.uint8), FramePrediction(1, 0.0, np.zeros((8, 8), np.float32)))
    for pane in (drawn[:, :320], drawn[:, 324:]):
        assert pane[:30, :80].max() == 255  # letters
        np.testing.assert_array_equal(pane[40:], 100)


def test_attention_maps_weigh_alike_whatever_their_size():
    large, small = np.full((4, 4), 1 / 16, np.float32), np.zeros((2, 2), np.float32)
    small[0, 1] = 1
    mean = mean_attention([large, small])
    assert mean.shape == (4, 4)
    assert mean[0, 3] == pytest.approx((1 + 4) / 2)
    assert mean[3, 0] == pytest.approx((1 + 0) / 2)


def test_pane_of_sound_is_refused_where_the_network_does_not_listen():
    check_panes(BOTH, uses_sound=True)
    check_panes(("attention",), uses_sound=False)
    with pytest.raises(UserError, match="--panes localization: this network does not listen"):
        check_panes(BOTH, uses_sound=False)


def test_unknown_pane_is_one_line_that_lists_the_others():
    with pytest.raises(UserError, match="--panes depth: .* localization, attention"):
        check_panes(("depth",), uses_sound=True)
