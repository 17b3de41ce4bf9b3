import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.upsampling import bilinear_kernel, upsample_bilinear, upsample_transposed

torch = pytest.importorskip("torch")

RTOL = 1e-5  # float32


def pytorch_upsample(features: np.ndarray, kernel: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Applies PyTorch's transposed convolution and crops to `size`, the smaller half left and top."""
    stride = kernel.shape[0] // 2
    full = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(features).permute(0, 3, 1, 2), torch.from_numpy(kernel).permute(2, 3, 0, 1), stride=stride
    )
    top, left = (full.shape[2] - size[0]) // 2, (full.shape[3] - size[1]) // 2
    return full[:, :, top : top + size[0], left : left + size[1]].permute(0, 2, 3, 1).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("stride", [2, 4, 8, 16])
@pytest.mark.parametrize("size", [(32, 32), (45, 27)])
def test_transposed_convolution_is_pytorchs_for_any_kernel(stride, size):
    draw = np.random.default_rng(0).normal
    height, width = (-(-extent // stride) for extent in size)  # as the strided trunk leaves them
    features = np.float32(draw(size=(2, height, width, 3)))
    kernel = np.float32(draw(size=(2 * stride, 2 * stride, 3, 2)))
    ours = upsample_transposed(jnp.asarray(features), jnp.asarray(kernel), size)
    theirs = pytorch_upsample(features, kernel, size)
    assert ours.shape == (2, *size, 2)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=RTOL * np.abs(theirs).max())


@pytest.mark.parametrize("stride", [2, 16])
@pytest.mark.parametrize("size", [(32, 32), (45, 27)])
def test_matrices_give_the_values_and_gradients_of_blocks(stride, size):
    draw = np.random.default_rng(0).normal
    height, width = (-(-extent // stride) for extent in size)
    features = jnp.asarray(draw(size=(2, height, width, 3)), jnp.float32)
    kernel = jnp.asarray(draw(size=(2 * stride, 2 * stride, 3, 1)), jnp.float32)
    results = []
    for form in ("blocks", "matrices"):
        values, pull_back = jax.vjp(lambda f, k, form=form: upsample_transposed(f, k, size, form), features, kernel)
        results.append((values, *pull_back(jnp.sin(values))))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=RTOL * np.abs(other).max())


def test_gradients_reach_features_and_kernel():
    features, kernel = jnp.ones((1, 2, 2, 1)), jnp.asarray(bilinear_kernel(2))[:, :, None, None]

    def loss(features, kernel):
        return jnp.sum(upsample_transposed(features, kernel, (4, 4)))

    by_features, by_kernel = jax.grad(loss, (0, 1))(features, kernel)
    np.testing.assert_allclose(by_features[0, :, :, 0], [[3.0625, 3.0625], [3.0625, 3.0625]])  # 1.75^2: some is cropped
    assert np.all(by_kernel > 0)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [2, 4, 8, 16])
def test_bilinear_kernel_keeps_a_constant_inside_and_fades_at_the_border(stride):
    kernel = jnp.asarray(bilinear_kernel(stride))[:, :, None, None]
    size = (4 * stride, 4 * stride)
    image = upsample_transposed(jnp.ones((1, 4, 4, 1)), kernel, size)[0, :, :, 0]
    inside = image[stride // 2 : -stride // 2, stride // 2 : -stride // 2]
    np.testing.assert_allclose(inside, np.ones(inside.shape), rtol=1e-6)
    assert image[0, 0] < 0.6


@pytest.mark.parametrize("scale", [2, 8])
def test_bilinear_upsampling_is_pytorchs_with_half_pixel_centres(scale):
    maps = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], scale_factor=scale, mode="bilinear", align_corners=False
    )
    ours = upsample_bilinear(jnp.asarray(maps), (6 * scale, 5 * scale))
    np.testing.assert_allclose(ours, theirs[:, 0].numpy(), rtol=0, atol=1e-5)


def test_bilinear_upsampling_keeps_a_constant_at_the_border_too():
    np.testing.assert_allclose(upsample_bilinear(jnp.ones((1, 3, 3)), (24, 24)), np.ones((1, 24, 24)), rtol=1e-6)
