import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.pooling import max_pool1d, max_pool3d
from stavis_jax.ops.video import lay_out

torch = pytest.importorskip("torch")

SHAPES = [(16, 8, 8), (4, 7, 9), (3, 5, 6), (1, 1, 2)]


def pool(layout: str, clip) -> jax.Array:
    video = max_pool3d(lay_out(clip, layout))
    return jnp.stack(video, axis=1) if layout == "frames" else video


def random_clip(shape: tuple[int, int, int]) -> np.ndarray:
    """Negative numbers among them: padding must not win."""
    return np.random.default_rng(0).normal(-2, 1, (2, *shape, 3)).astype(np.float32)


def pytorch_pool(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima, and the gradient of the sum of their squares."""
    leaf = torch.from_numpy(clip).permute(0, 4, 1, 2, 3).requires_grad_()
    pooled = torch.nn.functional.max_pool3d(leaf, 3, 2, 1)
    pooled.square().sum().backward()
    return tuple(x.permute(0, 2, 3, 4, 1).numpy() for x in (pooled.detach(), leaf.grad))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", ["array", "frames"])
def test_3d_pooling_is_pytorchs_and_so_is_its_gradient(layout, shape):
    clip = random_clip(shape)
    maxima, gradient = pytorch_pool(clip)
    np.testing.assert_array_equal(jax.jit(pool, static_argnums=0)(layout, clip), maxima)
    ours = jax.jit(jax.grad(lambda x: jnp.sum(jnp.square(pool(layout, x)))))(clip)
    np.testing.assert_allclose(ours, gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("samples", [32, 35])
@pytest.mark.parametrize("size", [4, 8])
def test_1d_pooling_is_pytorchs(size, samples):
    signal = np.random.default_rng(0).normal(size=(2, samples, 3)).astype(np.float32)
    theirs = torch.nn.functional.max_pool1d(torch.from_numpy(signal).permute(0, 2, 1), size)
    np.testing.assert_array_equal(max_pool1d(jnp.asarray(signal), size), theirs.permute(0, 2, 1).numpy())
