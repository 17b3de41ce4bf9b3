import numpy as np
import pytest
from made_plans import plan_of_places, plan_of_targets

from stavis_jax.reframing.draw import preview_picture, reframed_picture, whole_picture_box

PICTURE = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)


def test_reframed_picture_is_the_part_at_the_nearest_whole_pixel():
    made = plan_of_places([10.4, 20.6])
    assert (reframed_picture(PICTURE, made, 0, False) == PICTURE[:, 10:60]).all()
    assert (reframed_picture(PICTURE, made, 1, False) == PICTURE[:, 21:71]).all()


@pytest.mark.parametrize("background", ["blur", "black"])
def test_padded_picture_shows_the_whole_film_on_a_background(background):
    made = plan_of_places([10.0])
    made = made.__class__(**{**vars(made), "background": background})
    shown = reframed_picture(np.full((90, 160, 3), 200, np.uint8), made, 0, True)
    x, y, width, height = whole_picture_box((160, 90), made.size)
    assert shown.shape == (90, 50, 3) and (x, width) == (0, 50) and height == 28
    assert (shown[y : y + height] == 200).all()
    outside = np.concatenate([shown[:y], shown[y + height :]])
    assert (outside == 0).all() if background == "black" else ((outside > 100) & (outside < 140)).all()


def test_preview_darkens_what_is_outside_and_has_even_sides():
    made = plan_of_targets([(0.9, 0.5)] * 3, film_size=(161, 91))
    picture = np.full((91, 161, 3), 100, np.uint8)
    shown = preview_picture(picture, made, 0, False)
    x, _ = made.whole_pixels(0)
    assert shown.shape == (90, 160, 3)
    assert (shown[45, : x - 2] == 40).all() and (shown[45, x + 3 : 155] == 100).all()


def test_a_picture_of_another_size_is_resized_first():
    made = plan_of_places([10.0])
    assert reframed_picture(np.zeros((45, 80, 3), np.uint8), made, 0, False).shape == (90, 50, 3)
