import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.attention import DeeplySupervisedAttention, spatial_softmax
from stavis_jax.ops.upsampling import bilinear_kernel
from stavis_jax.ops.video import lay_out


@pytest.fixture(scope="module")
def module():
    return DeeplySupervisedAttention(2, 4, rngs=nnx.Rngs(0))


def random_clip(frames: int = 3) -> jnp.ndarray:
    return jnp.asarray(np.random.default_rng(0).normal(0, 100, (2, frames, 6, 5, 4)), jnp.float32)


def test_attention_is_exp_over_its_sum_over_the_map():
    activation = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4)), jnp.float32)
    expected = np.exp(activation) / np.exp(activation).sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(spatial_softmax(activation), expected, rtol=1e-5)


def test_attention_survives_large_activations():
    attention = spatial_softmax(jnp.full((1, 2, 2), 500.0))  # exp(500) is infinite
    np.testing.assert_allclose(attention, np.full((1, 2, 2), 0.25))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["array", "frames"])
def test_a_stage_speaks_of_the_mean_over_time(layout, module):
    clip = random_clip()
    stage = module(lay_out(clip, layout))
    of_mean = module(lay_out(clip.mean(axis=1, keepdims=True), layout))
    assert stage.features.shape == (2, 6, 5, 16)
    assert stage.activation.shape == stage.attention.shape == (2, 6, 5)
    np.testing.assert_allclose(stage.features, of_mean.features, rtol=0, atol=1e-5)
    np.testing.assert_allclose(stage.attention.sum(axis=(1, 2)), np.ones(2), rtol=1e-5)


def test_upsampling_starts_bilinear_and_each_channel_alone(module):
    kernel = np.asarray(module.upsample_features[...])
    assert kernel.shape == (8, 8, 16, 16)
    for given in range(16):
        for made in range(16):
            expected = bilinear_kernel(4) if given == made else np.zeros((8, 8))
            np.testing.assert_array_equal(kernel[:, :, given, made], expected)
    np.testing.assert_array_equal(module.upsample_activation[...][:, :, 0, 0], bilinear_kernel(4))
