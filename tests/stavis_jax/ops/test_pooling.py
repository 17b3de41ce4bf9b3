import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.pooling import max_pool1d, max_pool3d
from stavis_jax.ops.video import lay_out

torch = pytest.importorskip("torch")

SHAPES = [(16, 8, 8), (4, 7, 9), (3, 5, 6), (1, 1, 2)]


def pool(form: str, layout: str, clip) -> jax.Array:
    pooled = max_pool3d(lay_out(clip, layout), form)
    return jnp.stack(pooled, axis=1) if layout == "frames" else pooled


def random_clip(shape: tuple[int, int, int]) -> np.ndarray:
    """Returns mostly negative numbers, to test that padding is never the maximum."""
    return np.random.default_rng(0).normal(-2, 1, (2, *shape, 3)).astype(np.float32)


def pytorch_pool(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the maxima, and the gradient of the sum of their squares."""
    leaf = torch.from_numpy(clip).permute(0, 4, 1, 2, 3).requires_grad_()
    pooled = torch.nn.functional.max_pool3d(leaf, 3, 2, 1)
    pooled.square().sum().backward()
    return tuple(x.permute(0, 2, 3, 4, 1).numpy() for x in (pooled.detach(), leaf.grad))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("form", "layout"), [("windows", "array"), ("comparisons", "array"), ("comparisons", "frames")]
)
def test_3d_pooling_is_pytorchs_and_so_is_its_gradient(form, layout, shape):
    clip = random_clip(shape)
    maxima, gradient = pytorch_pool(clip)
    np.testing.assert_array_equal(jax.jit(pool, static_argnums=(0, 1))(form, layout, clip), maxima)
    ours = jax.jit(jax.grad(lambda x: jnp.sum(jnp.square(pool(form, layout, x)))))(clip)
    np.testing.assert_allclose(ours, gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", ["windows", "comparisons"])
def test_of_equal_values_the_one_that_pytorch_takes_gets_the_gradient(form):
    clip = np.random.default_rng(0).integers(0, 3, (1, 5, 6, 7, 1)).astype(np.float32)
    _, gradient = pytorch_pool(clip)
    ours = jax.grad(lambda x: jnp.sum(jnp.square(pool(form, "array", x))))(clip)
    np.testing.assert_array_equal(ours, gradient)


@pytest.mark.parametrize("samples", [32, 35])
@pytest.mark.parametrize("size", [4, 8])
def test_1d_pooling_is_pytorchs(size, samples):
    signal = np.random.default_rng(0).normal(size=(2, samples, 3)).round(1).astype(np.float32)  # some are equal
    signal[1, 5, 0] = np.nan
    leaf = torch.from_numpy(signal).permute(0, 2, 1).requires_grad_()
    theirs = torch.nn.functional.max_pool1d(leaf, size)
    torch.sum(torch.square(theirs)).backward()
    np.testing.assert_array_equal(max_pool1d(jnp.asarray(signal), size), theirs.permute(0, 2, 1).detach().numpy())
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(jnp.square(max_pool1d(x, size)))))(signal)
    np.testing.assert_array_equal(gradient, leaf.grad.permute(0, 2, 1).numpy())


def test_1d_gradient_is_finite_where_xla_rounds_the_signal_in_two_ways():
    """As compiled in these tests, x * a + b is rounded once in one place and twice in another."""
    signal = np.random.default_rng(0).normal(0, 3, (2, 64, 2)).astype(np.float32)
    a, b = np.float32([[[1.3, 0.7]]]), np.float32([[[0.1, -0.2]]])
    gradient = jax.jit(jax.grad(lambda b, x, a: jnp.sum(max_pool1d(x * a + b, 8))))(b, signal, a)
    np.testing.assert_array_equal(gradient, [[[16, 16]]])  # one of each of 2 x 8 blocks
