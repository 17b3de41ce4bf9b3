import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.conv3d import MANY_CHANNELS, conv3d
from stavis_jax.ops.video import lay_out

torch = pytest.importorskip("torch")

RTOL = 1e-5  # float32, sums of up to 2,000 products in another order
# kernel size, strides, clip (T, H, W): what the network uses, at whole and uneven sizes
USED = [
    (7, (1, 2, 2), (5, 12, 12)),  # stem
    (7, (1, 2, 2), (2, 9, 7)),
    (7, (1, 2, 2), (11, 9, 7)),  # more than one block of time steps, the last one not whole
    (7, (1, 2, 2), (1, 9, 7)),  # a picture
    (3, (1, 1, 1), (8, 7, 7)),
    (3, (1, 1, 1), (5, 7, 7)),
    (3, (1, 1, 1), (4, 2, 2)),  # frames smaller than kernels
    (3, (1, 1, 1), (2, 7, 7)),  # fewer frames than time taps
    (3, (1, 1, 1), (1, 3, 3)),
    (3, (2, 2, 2), (8, 8, 8)),
    (3, (2, 2, 2), (3, 5, 7)),
    (3, (2, 2, 2), (1, 1, 1)),
    (3, (2, 2, 2), (1, 6, 7)),
    (1, (1, 1, 1), (4, 5, 5)),
    (1, (2, 2, 2), (8, 8, 8)),  # shortcut
    (1, (2, 2, 2), (3, 5, 7)),
]


def inputs(size: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0).normal
    channels = 3 if size == 7 else 6  # pixels, or features
    return np.float32(draw(size=(2, *shape, channels))), np.float32(draw(size=(size, size, size, channels, 3)))


def convolve(form: str, strides, clip, kernel) -> jax.Array:
    video = lay_out(jnp.asarray(clip), "array" if form in ("xla", "stacked") else "frames")
    video = conv3d(video, jnp.asarray(kernel), strides, form)
    return jnp.stack(video, axis=1) if isinstance(video, tuple) else video


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=RTOL * np.abs(desired).max())


@pytest.mark.slow
@pytest.mark.parametrize(("size", "strides", "shape"), USED)
@pytest.mark.parametrize("form", ["xla", "stacked", "sums", "karatsuba"])
def test_every_form_is_pytorchs_convolution(form, size, strides, shape):
    clip, kernel = inputs(size, shape)
    theirs = torch.nn.functional.conv3d(
        torch.from_numpy(clip).permute(0, 4, 1, 2, 3),
        torch.from_numpy(kernel).permute(4, 3, 0, 1, 2),
        stride=strides,
        padding=size // 2,
    )
    assert_close(convolve(form, strides, clip, kernel), theirs.permute(0, 2, 3, 4, 1).numpy())


@pytest.mark.slow
@pytest.mark.parametrize(("size", "strides", "shape"), USED)
def test_forms_to_train_have_the_same_gradients(size, strides, shape):
    clip, kernel = inputs(size, shape)
    gradients = {
        form: jax.jit(jax.grad(lambda c, k, form=form: jnp.sum(jnp.sin(convolve(form, strides, c, k))), (0, 1)))
        for form in ("xla", "stacked", "sums")
    }
    for fast_form in ("stacked", "sums"):
        for plain, fast in zip(gradients["xla"](clip, kernel), gradients[fast_form](clip, kernel), strict=True):
            assert_close(fast, plain)


@pytest.mark.slow
@pytest.mark.parametrize("strides", [(1, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("shape", [(3, 6, 6), (2, 5, 7)])
def test_with_many_channels_the_kernels_gradient_is_still_the_same(strides, shape):
    draw = np.random.default_rng(0).normal
    clip = np.float32(draw(size=(2, *shape, MANY_CHANNELS)))
    kernel = np.float32(draw(size=(3, 3, 3, MANY_CHANNELS, 4)))
    plain, fast = (
        jax.jit(jax.grad(lambda c, k, form=form: jnp.sum(jnp.sin(convolve(form, strides, c, k))), (0, 1)))
        for form in ("xla", "sums")
    )
    for expected, actual in zip(plain(clip, kernel / 60), fast(clip, kernel / 60), strict=True):
        assert_close(actual, expected)


@pytest.mark.parametrize(("size", "shape", "plain", "fast"), [(7, (8, 12, 12), 44, 9), (3, (8, 7, 7), 22, 16)])
def test_the_form_to_score_convolves_fewer_times(size, shape, plain, fast):
    """The stem convolves 9 times in a loop of 3."""
    clip, kernel = inputs(size, shape)
    assert plain == sum(0 <= t + k < shape[0] for t in range(shape[0]) for k in range(-(size // 2), size // 2 + 1))
    program = str(jax.make_jaxpr(lambda c, k: convolve("karatsuba", (1, 1, 1), c, k))(clip, kernel))
    assert program.count("conv_general_dilated") == fast


@pytest.mark.parametrize("size", [7, 3])
def test_a_picture_takes_one_2d_convolution_on_a_gpu(size):
    clip, kernel = inputs(size, (1, 9, 9))
    program = jax.make_jaxpr(lambda c, k: convolve("stacked", (1, 2, 2), c, k))(clip, kernel)
    convolutions = [eqn for eqn in program.jaxpr.eqns if eqn.primitive.name == "conv_general_dilated"]
    assert [eqn.invars[1].aval.ndim for eqn in convolutions] == [4]


def test_a_kernel_may_be_given_as_its_time_taps():
    clip, kernel = inputs(3, (8, 7, 7))
    frames = lay_out(jnp.asarray(clip), "frames")
    for form in ("sums", "karatsuba"):
        whole, taps = (jnp.stack(conv3d(frames, k, form=form)) for k in (jnp.asarray(kernel), tuple(kernel)))
        np.testing.assert_array_equal(taps, whole)
