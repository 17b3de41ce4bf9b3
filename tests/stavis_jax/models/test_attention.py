import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.attention import DeeplySupervisedAttention, spatial_softmax
from stavis_jax.models.stavis import NetworkConfig, Stavis
from stavis_jax.ops.backend_form import BackendForm
from stavis_jax.ops.conv2d import conv2d
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


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_factors_of_the_first_convolution_are_rounded_to_the_videos_format(dtype):
    module = DeeplySupervisedAttention(2, 4, rngs=nnx.Rngs(0))
    side_prep, means = module.side_prep, random_clip()[:, 0]

    def rounded(x):
        return jnp.asarray(x.astype(dtype), jnp.float32)

    expected = conv2d(rounded(means), rounded(side_prep.kernel[...]))
    np.testing.assert_allclose(module.of_means(means, dtype).features, side_prep(means), rtol=0, atol=0)
    module.set_attributes(DeeplySupervisedAttention, form=BackendForm.for_platform("tpu"))
    features = module.of_means(means, jnp.dtype(dtype)).features
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4)
    assert (np.abs(features - side_prep(means)).max() > 1e-3) == (dtype == "bfloat16")


def test_a_network_gives_its_form_to_every_attention_module():
    form = BackendForm.for_platform("tpu")
    network = nnx.eval_shape(lambda: Stavis(NetworkConfig("visual", 10), rngs=nnx.Rngs(0), form=form))
    assert [getattr(network, f"attention{stage}").form for stage in range(1, 5)] == [form] * 4
