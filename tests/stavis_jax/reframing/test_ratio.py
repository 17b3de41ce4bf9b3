import argparse
from fractions import Fraction

import pytest

from stavis_jax.reframing.ratio import ratio


@pytest.mark.parametrize(
    ("text", "film", "window"),
    [
        ("9:16", (1920, 1080), (608, 1080)),
        ("1:1", (1920, 1080), (1080, 1080)),
        ("4:5", (1920, 1080), (864, 1080)),
        ("16:9", (1920, 1080), (1920, 1080)),
        ("2.39:1", (1920, 1080), (1920, 804)),
        ("9:16", (1080, 1920), (1080, 1920)),
        ("16:9", (1080, 1920), (1080, 608)),
        ("9:16", (641, 361), (202, 360)),
        ("641:361", (641, 361), (640, 360)),
        ("9:16", (3, 3), (2, 2)),
    ],
)
def test_window_is_the_largest_one_of_even_sides(text, film, window):
    assert ratio(text).window(film) == window


def test_window_has_the_ratio_as_players_show_it():
    width, height = ratio("1:1").window((720, 576), Fraction(16, 15))
    assert width * Fraction(16, 15) == pytest.approx(height, abs=2)


@pytest.mark.parametrize(
    "text",
    ["9", "9:0", "0:9", "-9:16", "a:b", "9:16:3", "1/2:3", "100:1", "nan:1", "9x16", "", "1e1:9", " 9:16", "٩:16"],
)
def test_what_is_no_ratio_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected WIDTH:HEIGHT"):
        ratio(text)


def test_names_of_files_have_no_colon():
    assert ratio("2.39:1").name == "2.39x1"
