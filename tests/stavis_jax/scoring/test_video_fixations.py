import numpy as np

from stavis_jax.scoring.video_fixations import VideoFixations, total_counts


def test_union_and_counts_hold_every_frames_fixations():
    fixations = VideoFixations({1: np.array([0, 5]), 3: np.array([5])}, (2, 3))
    assert fixations.union().tolist() == [[1, 0, 0], [0, 0, 1]]
    assert fixations.counts((2, 3)).tolist() == [[1, 0, 0], [0, 0, 2]]
    assert fixations.fixation_map(3).tolist() == [[0, 0, 0], [0, 0, 1]]


def test_fixations_keep_their_place_in_a_frame_of_another_size():
    fixations = VideoFixations({1: np.array([0, 5])}, (2, 3))
    enlarged = fixations.counts((4, 9))
    assert np.argwhere(enlarged).tolist() == [[1, 1], [3, 7]]
    assert fixations.counts((1, 1)).tolist() == [[2]]


def test_counts_of_several_films_add_up_and_of_none_are_zero():
    one = VideoFixations({1: np.array([0])}, (2, 2))
    other = VideoFixations({1: np.array([0, 15])}, (4, 4))
    assert total_counts([one, other], (2, 2)).tolist() == [[2, 0], [0, 1]]
    assert total_counts([VideoFixations({}, (0, 0))], (2, 2)).sum() == 0
