import numpy as np

from stavis_jax.scoring.gaze import Gaze, counts_of


def test_union_and_counts_hold_every_frames_fixations():
    gaze = Gaze({1: np.array([0, 5]), 3: np.array([5])}, (2, 3))
    assert gaze.union().tolist() == [[1, 0, 0], [0, 0, 1]]
    assert gaze.counts((2, 3)).tolist() == [[1, 0, 0], [0, 0, 2]]
    assert gaze.fixation_map(3).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_fixations_keep_their_place_in_a_frame_of_another_size():
    gaze = Gaze({1: np.array([0, 5])}, (2, 3))
    enlarged = gaze.counts((4, 9))
    assert np.argwhere(enlarged).tolist() == [[1, 1], [3, 7]]
    assert gaze.counts((1, 1)).tolist() == [[2]]


def test_counts_of_several_films_add_up_and_of_none_are_zero():
    one = Gaze({1: np.array([0])}, (2, 2))
    other = Gaze({1: np.array([0, 15])}, (4, 4))
    assert counts_of([one, other], (2, 2)).tolist() == [[2, 0], [0, 1]]
    assert counts_of([Gaze({}, (0, 0))], (2, 2)).sum() == 0
