"""Tests that every rewrite gives the outputs and gradients of the usual form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks.accelerator import rewrites
from stavis_jax.models import layers
from stavis_jax.models.layers import BatchNorm
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops import pooling
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.weights.flat_names import new_network

KERNELS = [  # kernels as in the network: size, channels, features, strides
    ((7, 7, 7), 3, 64, (1, 2, 2)),
    ((3, 3, 3), 4, 6, (1, 1, 1)),
    ((3, 3, 3), 4, 6, (2, 2, 2)),
    ((1, 1, 1), 4, 6, (1, 1, 1)),
    ((1, 1, 1), 4, 6, (2, 2, 2)),
]


def draw(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def with_gradients(function, *arguments):
    """Returns the outputs, and the gradients of their sum weighted by fixed numbers."""

    def both(*arguments):
        outputs, backward = jax.vjp(function, *arguments)
        return outputs, backward(jax.tree.map(lambda x: draw(*x.shape, seed=1), outputs))

    return jax.device_get(jax.jit(both)(*arguments))


def assert_equal(ours, plain, tolerance: float = 1e-5) -> None:
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", rewrites.CONVOLUTIONS)
def test_convolutions(name, kernel):
    plain = plainly_convolved(kernel)
    with rewrites.applied([name]):
        assert_equal(convolved(kernel), plain)


def convolved(kernel: tuple):
    """Returns the outputs of layers.conv3d and its gradients."""
    size, channels, features, strides = kernel
    arguments = draw(2, 4, 8, 12, channels), draw(*size, channels, features)
    return with_gradients(lambda video, kernel: layers.conv3d(video, kernel, strides), *arguments)


@functools.cache
def plainly_convolved(kernel: tuple):
    return convolved(kernel)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2, 4, 8, 6, 3), (1, 3, 5, 7, 2)])
def test_pooling(shape):
    video = draw(*shape)
    assert_equal(with_gradients(rewrites.pool_by_comparisons, video), with_gradients(pooling.max_pool3d, video))


@pytest.mark.slow
def test_batch_norm_also_where_the_mean_is_large_against_the_spread():
    video = 100 + draw(2, 4, 6, 6, 3)

    def normalised(video, scale, bias):
        layer = BatchNorm(3)
        layer.scale[...], layer.bias[...], layer.mean[...] = scale, bias, jnp.full(3, 99.0)
        output = layer(video, True)
        return output, layer.mean[...], layer.var[...]

    arguments = video, 1 + draw(3), draw(3)
    plain = with_gradients(normalised, *arguments)
    with rewrites.applied(["one-pass"]):
        assert_equal(with_gradients(normalised, *arguments), plain, tolerance=1e-3)


@pytest.mark.slow
def test_a_network_with_all_of_them_learns_the_same():
    network = new_network(NetworkConfig("visual", 10), seed=0, form=TEXTBOOK)
    graphdef, params, statistics = nnx.split(network, nnx.Param, nnx.BatchStat)
    clip, waveform = 50 * draw(2, 16, 16, 16, 3), jnp.zeros((2, 1))

    def loss(params):
        network = nnx.merge(graphdef, params, jax.tree.map(lambda x: x, statistics))
        return jnp.mean(network(clip, waveform, train=True).logits ** 2)

    plain = jax.jit(jax.value_and_grad(loss))(params)
    with rewrites.applied(["pool", "one-pass", "dots", "stem-pairs", "taps2d"]):
        ours = jax.jit(jax.value_and_grad(lambda params: loss(params)))(params)
    assert float(ours[0]) == pytest.approx(float(plain[0]), rel=1e-4)
    norm, distance = (
        np.sqrt(sum(float(jnp.sum(x**2)) for x in jax.tree.leaves(tree)))
        for tree in (plain[1], jax.tree.map(jnp.subtract, ours[1], plain[1]))
    )
    assert distance < 1e-3 * norm


def test_forms_for_a_cpu_are_not_rewritten():
    frames, kernel = tuple(draw(4, 1, 8, 12, 3)), draw(7, 7, 7, 3, 6)
    usual = layers.conv3d(frames, kernel, (1, 2, 2), "sums")
    with rewrites.applied(rewrites.NAMES):
        assert_equal(layers.conv3d(frames, kernel, (1, 2, 2), "sums"), usual)
        assert_equal(rewrites.pool_by_comparisons(frames, "comparisons"), pooling.max_pool3d(frames, "comparisons"))


def test_the_usual_forms_come_back_and_unknown_names_are_refused():
    before = layers.conv3d, BatchNorm.__call__
    with rewrites.applied(rewrites.NAMES):
        assert layers.conv3d is not before[0] and BatchNorm.__call__ is not before[1]
    assert before == (layers.conv3d, BatchNorm.__call__)
    with pytest.raises(ValueError, match="fft: choose from pool"):
        rewrites.applied(["fft"])
