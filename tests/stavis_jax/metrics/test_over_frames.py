import numpy as np
import pytest

from stavis_jax.metrics import cc, over_frames, shuffled_auc


def test_stack_gives_one_value_a_frame(rng):
    saliency_maps, densities = rng.random((3, 8, 9)), rng.random((3, 8, 9))
    found = over_frames(cc)(saliency_maps, densities)
    assert found.shape == (3,) and found.dtype == np.float64
    assert found[1] == cc(saliency_maps[1], densities[1])


def test_single_map_serves_every_frame(rng):
    saliency_maps, fixations, union = rng.random((2, 8, 9)), rng.random((2, 8, 9)) > 0.9, np.ones((8, 9))
    found = over_frames(shuffled_auc)(saliency_maps, fixations, union)
    assert found[1] == shuffled_auc(saliency_maps[1], fixations[1], union)


def test_stacks_of_different_length_are_refused(rng):
    with pytest.raises(ValueError, match="one length"):
        over_frames(cc)(rng.random((2, 8, 9)), rng.random((3, 8, 9)))
    with pytest.raises(ValueError, match="one length"):
        over_frames(cc)(rng.random((8, 9)), rng.random((8, 9)))
