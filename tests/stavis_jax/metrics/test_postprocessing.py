import numpy as np
import pytest

from stavis_jax.metrics.postprocessing import imresize_bicubic, postprocess


def test_map_takes_the_annotations_size_and_float64(rng):
    prediction = rng.integers(0, 256, (112, 112)).astype(np.uint8)
    saliency_map = postprocess(prediction, (90, 160))
    assert saliency_map.shape == (90, 160)
    assert saliency_map.dtype == np.float64


def test_black_prediction_becomes_nan_everywhere():
    assert np.isnan(postprocess(np.zeros((112, 112), np.uint8), (30, 40))).all()


@pytest.mark.parametrize("level", [1, 128, 255])
def test_constant_prediction_becomes_exactly_one_half(level):
    assert (postprocess(np.full((112, 112), level, np.uint8), (30, 41)) == 0.5).all()


def test_brightness_and_contrast_of_a_prediction_do_not_matter(rng):
    prediction = rng.integers(0, 100, (20, 30)).astype(np.uint8)
    np.testing.assert_allclose(
        postprocess(prediction, (40, 50)), postprocess(2 * prediction + 7, (40, 50)), rtol=0, atol=1e-14
    )


def test_resize_to_the_same_size_is_an_exact_copy(rng):
    image = rng.random((7, 9))
    assert (imresize_bicubic(image, (7, 9)) == image).all()


def test_axes_are_resized_independently(rng):
    image = rng.random((8, 6))
    both = imresize_bicubic(image, (5, 13))
    np.testing.assert_allclose(imresize_bicubic(imresize_bicubic(image, (5, 6)), (5, 13)), both, rtol=0, atol=1e-14)


def test_resize_keeps_a_constant_and_overshoots_at_an_edge():
    np.testing.assert_allclose(imresize_bicubic(np.full((5, 4), 0.3), (17, 3)), 0.3, rtol=0, atol=1e-15)
    step = np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 4, axis=0)
    enlarged = imresize_bicubic(step, (4, 24))
    assert enlarged.min() < 0 and enlarged.max() > 1


def test_picture_with_channels_is_refused():
    with pytest.raises(ValueError, match="one map"):
        postprocess(np.zeros((4, 4, 3), np.uint8), (8, 8))
