import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.batch_norm import normalise_by_batch, statistics
from stavis_jax.ops.video import lay_out

torch = pytest.importorskip("torch")

EPSILON = 1e-5
TOLERANCE = 5e-6  # of the largest value: float32, sums of 600 values in another order


def inputs() -> tuple[np.ndarray, ...]:
    """Returns a video [B, T, H, W, C], scale and bias [C], and the gradient of the output."""
    draw = np.random.default_rng(0).normal
    video = draw([0, 5, -5, 0], size=(2, 6, 5, 10, 4))
    return tuple(np.float32(x) for x in (video, draw(size=4), draw(size=4), draw(size=video.shape)))


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=TOLERANCE * np.abs(desired).max())


@pytest.mark.parametrize("centre", [None, np.float32([0, 4, -6, 1])], ids=["two-pass", "one-pass"])
@pytest.mark.parametrize("layout", ["array", "frames"])
def test_values_and_gradients_are_pytorchs(layout, centre):
    video, scale, bias, gradient = inputs()
    theirs = [torch.from_numpy(x.astype(np.float64)).requires_grad_() for x in (video, scale, bias)]
    output = torch.nn.functional.batch_norm(
        theirs[0].permute(0, 4, 1, 2, 3), None, None, theirs[1], theirs[2], training=True, eps=EPSILON
    ).permute(0, 2, 3, 4, 1)
    output.backward(torch.from_numpy(gradient.astype(np.float64)))

    def normalised(video, scale, bias):
        video, _ = normalise_by_batch(lay_out(video, layout), scale, bias, EPSILON, centre)
        return jnp.stack(video, axis=1) if layout == "frames" else video

    ours, pull_back = jax.vjp(jax.jit(normalised), video, scale, bias)
    assert_close(ours, output.detach().numpy())
    for of_ours, of_theirs in zip(pull_back(gradient), theirs, strict=True):
        assert_close(of_ours, of_theirs.grad.numpy())


def test_the_batchs_statistics_come_along_and_have_no_gradient():
    video, scale, bias, _ = inputs()
    (_, of_batch), pull_back = jax.vjp(lambda v: normalise_by_batch(v, scale, bias, EPSILON), video)
    np.testing.assert_allclose(of_batch.mean, video.mean((0, 1, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(of_batch.var, video.var((0, 1, 2, 3)), rtol=1e-5)
    assert of_batch.num_values == 600
    nothing = jnp.zeros_like(video)
    assert not np.any(pull_back((nothing, jax.tree.map(jnp.ones_like, of_batch)))[0])


def test_one_pass_about_a_near_mean_keeps_a_variance_that_is_small_beside_the_mean():
    video = np.float32(1000 + np.random.default_rng(1).normal(size=(2, 6, 5, 10, 1)))
    near, far = (statistics(jnp.asarray(video), np.float32([centre])) for centre in (1000.5, 0))
    variance = video.astype(np.float64).var()
    assert float(near.var[0]) == pytest.approx(variance, rel=1e-5)
    assert float(far.var[0]) != pytest.approx(variance, rel=1e-5)
    assert float(near.mean[0]) == pytest.approx(video.astype(np.float64).mean(), rel=1e-6)
