import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.models.soundnet import ROWS
from stavis_jax.ops.conv1d import LONGEST_FOR_COLUMNS, conv1d

torch = pytest.importorskip("torch")

RTOL = 1e-5  # float32


def inputs(size: int, samples: int = 150) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0).normal
    return np.float32(draw(size=(2, samples, 3))), np.float32(draw(size=(size, 3, 4)))


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=RTOL * np.abs(desired).max())


@pytest.mark.slow
@pytest.mark.parametrize(("size", "padding"), sorted({(size, padding) for _, size, padding, _ in ROWS}))
@pytest.mark.parametrize("form", ["xla", "columns"])
def test_both_forms_are_pytorchs_convolution(form, size, padding):
    convolve = jax.jit(conv1d, static_argnums=(2, 3, 4))
    for samples in (150, 151):
        signal, kernel = inputs(size, samples)
        theirs = torch.nn.functional.conv1d(
            torch.from_numpy(signal).permute(0, 2, 1),
            torch.from_numpy(kernel).permute(2, 1, 0),
            stride=2,
            padding=padding,
        )
        ours = convolve(signal, kernel, 2, padding, form)
        assert_close(ours, theirs.permute(0, 2, 1).numpy())


def test_both_forms_have_the_same_gradients():
    def loss(signal, kernel, form):
        return jnp.sum(jnp.sin(conv1d(signal, kernel, 2, 4, form)))

    gradient = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
    for plain, fast in zip(gradient(*inputs(8), "xla"), gradient(*inputs(8), "columns"), strict=True):
        assert_close(fast, plain)


def test_long_signals_are_never_gathered():
    signal, kernel = jax.ShapeDtypeStruct((1, LONGEST_FOR_COLUMNS + 1, 1), jnp.float32), jnp.ones((64, 1, 2))
    program = str(jax.make_jaxpr(lambda x: conv1d(x, kernel, 2, 32, "columns"))(signal))
    assert "conv_general_dilated" in program
