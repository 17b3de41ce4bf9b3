import numpy as np
import pytest
from made_plans import analysis_of, plan_of_targets
from made_targets import target_maps

from stavis_jax.reframing.plan import PlanOptions, plan
from stavis_jax.reframing.ratio import ratio


def test_crop_holds_the_target_and_beats_the_centre():
    made = plan_of_targets([(0.85, 0.5)] * 30)
    x, y = made.whole_pixels(0)
    assert x <= 0.85 * 160 <= x + made.size[0] and y == 0
    assert made.kept > 0.95 and made.kept_by_center < 0.05
    assert not made.shots[0].padded


def test_a_ratio_wider_than_the_film_moves_up_and_down():
    made = plan_of_targets([(0.5, 0.9)] * 30, "3:1")
    assert made.axis == "y" and made.size == (160, 54)
    x, y = made.whole_pixels(0)
    assert x == 0 and y <= 0.9 * 90 <= y + 54


def test_a_ratio_of_the_film_itself_keeps_all_and_never_moves_or_pads():
    made = plan_of_targets([(share, 0.5) for share in np.linspace(0.1, 0.9, 30)], "16:9")
    assert made.size == (160, 90) and np.ptp(made.places) == 0 and made.whole_pixels(3) == (0, 0)
    assert made.kept == pytest.approx(1) and not made.shots[0].padded


@pytest.mark.parametrize(
    ("padding", "padded"),
    [("auto", [True, False]), ("never", [False, False]), ("blur", [True, True]), ("black", [True, True])],
)
def test_padding_is_for_shots_that_do_not_fit_or_for_all(padding, padded):
    wide = sum(target_maps([(x, 0.5)]) for x in (0.05, 0.35, 0.65, 0.95))  # a crop holds one of four
    maps = np.concatenate([np.repeat(wide, 20, axis=0), target_maps([(0.3, 0.5)] * 20)])
    made = plan(analysis_of(maps, [0, 20]), ratio("9:16"), (160, 90), 1, PlanOptions(padding=padding))
    assert [shot.padded for shot in made.shots] == padded
    assert made.background == ("black" if padding == "black" else "blur")


def test_shots_hold_every_frame_once():
    made = plan_of_targets([(0.2, 0.5)] * 10 + [(0.8, 0.5)] * 15, shot_starts=(0, 10))
    assert [(shot.first, shot.end) for shot in made.shots] == [(0, 10), (10, 25)]
    assert [(shot.start_seconds, shot.end_seconds) for shot in made.shots] == [(0, 0.4), (0.4, pytest.approx(1))]
    assert abs(made.places[10] - made.places[9]) > 60


def test_a_film_of_one_frame_has_a_plan():
    made = plan_of_targets([(0.9, 0.5)])
    assert len(made.shots) == 1 and made.kept > 0.9
