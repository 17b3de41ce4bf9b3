import numpy as np
import pytest

from stavis_jax.outputs.options import OutputOptions
from stavis_jax.outputs.panes import PaneGrid, mean_attention
from stavis_jax.prediction.frame_prediction import FramePrediction

BOTH = ("localization", "attention")
PREDICTION = FramePrediction(1, 0.0, np.ones((8, 8), np.float32))


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
    grid = PaneGrid(film, OutputOptions(view=view, panes=panes))
    drawn = grid.draw(np.zeros((film[1], film[0], 3), np.uint8), PREDICTION)
    assert drawn.shape == (*expected[::-1], 3)


@pytest.mark.parametrize("film", [(1921, 1081), (1080, 1920), (4096, 2160), (7, 5), (1, 1), (3000, 20)])
@pytest.mark.parametrize("panes", [(), ("attention",), BOTH])
def test_several_panes_are_even_and_playable(film, panes):
    grid = PaneGrid(film, OutputOptions(view="side-by-side", panes=panes))
    height, width, _ = grid.draw(np.zeros((film[1], film[0], 3), np.uint8), PREDICTION).shape
    assert width % 2 == height % 2 == 0
    assert width <= 3840 and height <= 2160


def test_panes_are_named():
    grid = PaneGrid((320, 240), OutputOptions(view="side-by-side"))
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
