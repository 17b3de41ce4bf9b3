import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from data_pipelines.drawing.line_plot import COLOURS, Panel, save_line_plot


def pixels_of(path, colour) -> np.ndarray:
    """Returns the (row, column) of every pixel of a colour, int [N, 2]."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return np.argwhere(np.abs(pixels - np.round(255 * np.array(to_rgb(colour)))).max(axis=2) < 20)


def test_curves_rise_where_their_values_do_and_break_at_gaps(tmp_path):
    seconds = np.arange(100.0)
    rising, gap = seconds / 100, np.where((seconds > 30) & (seconds < 70), np.nan, 0.5)
    save_line_plot(tmp_path / "plot.png", seconds, [Panel("share", {"rising": rising, "gap": gap})], "title")
    rows, columns = pixels_of(tmp_path / "plot.png", COLOURS[0]).T
    drawn = rows < rows.max() - 40  # above the legend
    assert np.corrcoef(columns[drawn], rows[drawn])[0, 1] < -0.99  # rows count from the top
    of_gap = pixels_of(tmp_path / "plot.png", COLOURS[1])[:, 1]
    middle = (columns[drawn].min() + columns[drawn].max()) / 2
    legend_row = pixels_of(tmp_path / "plot.png", COLOURS[1])[:, 0].max()
    in_plot = of_gap[pixels_of(tmp_path / "plot.png", COLOURS[1])[:, 0] < legend_row - 40]
    assert np.abs(in_plot - middle).min() > 50


@pytest.mark.parametrize("name", ["_hidden", "a $ b $ c", "<b>&"])
def test_any_name_can_be_drawn(tmp_path, name):
    save_line_plot(tmp_path / "plot.png", np.zeros(1), [Panel(name, {name: np.ones(1)}, level=1.0)], name)
    assert len(pixels_of(tmp_path / "plot.png", COLOURS[0])) > 20  # a single value is a dot
