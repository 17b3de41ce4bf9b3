import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.conv2d import conv2d, conv2d_rounded

torch = pytest.importorskip("torch")

RTOL = 1e-5  # float32, sums of up to 600 products in another order


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=RTOL * np.abs(desired).max())


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xla", "dots"])
@pytest.mark.parametrize(("size", "stride", "shape"), [(3, 1, (9, 7)), (3, 2, (8, 5)), (1, 1, (4, 6)), (7, 2, (9, 8))])
def test_both_forms_and_their_gradients_are_pytorchs(form, size, stride, shape):
    draw = np.random.default_rng(0).normal
    image, kernel = np.float32(draw(size=(2, *shape, 4))), np.float32(draw(size=(size, size, 4, 5)))
    their_image, their_kernel = (torch.from_numpy(array).requires_grad_() for array in (image, kernel))
    theirs = torch.nn.functional.conv2d(
        their_image.permute(0, 3, 1, 2), their_kernel.permute(3, 2, 0, 1), stride=stride, padding=size // 2
    )
    assert_close(conv2d(image, kernel, (stride, stride), form), theirs.detach().permute(0, 2, 3, 1).numpy())
    theirs.sin().sum().backward()
    ours = jax.grad(lambda x, k: jnp.sum(jnp.sin(conv2d(x, k, (stride, stride), form))), (0, 1))(image, kernel)
    assert_close(ours[0], their_image.grad.numpy())
    assert_close(ours[1], their_kernel.grad.numpy())


def test_rounded_factors_give_float32_sums_and_gradients_within_rounding():
    draw = np.random.default_rng(0).integers
    image, kernel = (jnp.asarray(draw(-8, 8, shape), jnp.float32) for shape in ((2, 6, 5, 40), (3, 3, 40, 4)))
    values, pull_back = jax.vjp(lambda i, k: conv2d_rounded(i, k, jnp.bfloat16), image, kernel)
    expected, expected_pull_back = jax.vjp(conv2d, image, kernel)
    np.testing.assert_array_equal(values, expected)  # bfloat16 holds the factors exactly, and not all of the sums
    assert np.any(expected != expected.astype(jnp.bfloat16).astype(jnp.float32))
    for ours, theirs in zip(pull_back(values), expected_pull_back(expected), strict=True):
        assert ours.dtype == jnp.float32
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2**-7 * np.abs(theirs).max())
