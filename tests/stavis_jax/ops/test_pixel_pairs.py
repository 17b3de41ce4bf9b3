"""Convolutions of pairs of pixels, against convolutions of pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.conv3d import conv3d
from stavis_jax.ops.pixel_pairs import conv_pixel_pairs, pixel_pairs

draw = np.random.default_rng(0)


@pytest.mark.parametrize(("width", "taps"), [(7, 7), (8, 7), (8, 5), (7, 3)])
def test_convolutions_and_kernel_gradients_are_those_of_pixels(width, taps):
    clip = jnp.asarray(draw.normal(size=(2, 4, 5, width, 3)), jnp.float32)
    kernel = jnp.asarray(draw.normal(size=(3, 5, taps, 3, 4)), jnp.float32)

    def of_pairs(kernel):
        return jnp.stack(conv_pixel_pairs(pixel_pairs(clip, taps), kernel), axis=1)

    def of_pixels(kernel):
        return conv3d(clip, kernel, (1, 2, 2))[:, 1:3]  # the frames with all their neighbours

    results = []
    for function in (of_pairs, of_pixels):
        values, pull_back = jax.vjp(jax.jit(function), kernel)
        results.append((values, *pull_back(jnp.sin(values))))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_pairs_keep_every_bit():
    clip = jnp.asarray(draw.normal(size=(2, 1, 2, 6, 3)), jnp.float32)
    first, second = jnp.split(pixel_pairs(clip, 5).reshape(2, 1, 2, 4, 8)[..., :6], 2, axis=-1)
    np.testing.assert_array_equal(first[..., :3, :], clip[..., 0::2, :])
    np.testing.assert_array_equal(second[..., :3, :], clip[..., 1::2, :])
