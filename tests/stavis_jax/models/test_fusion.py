import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.attention import DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.fusion import ConcatenationFusion, StageFusion, side_logits
from stavis_jax.models.localization import BilinearLocalization
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.upsampling import upsample_bilinear, upsample_transposed

SIZE = (32, 24)
ATOL = 1e-4  # float32: the composed form sums in another order


def randomise(module: nnx.Module, seed: int = 0) -> nnx.Module:
    """Gives every parameter random values, upsampling kernels off the diagonal too."""
    draw = np.random.default_rng(seed).normal
    for _, variable in nnx.to_flat_state(nnx.state(module, nnx.Param)):
        variable[...] = jnp.asarray(draw(size=variable.shape) * 0.3, jnp.float32)
    return module


@pytest.fixture(scope="module")
def attention():
    return [randomise(DeeplySupervisedAttention(stage, 4, rngs=nnx.Rngs(0)), stage) for stage in range(1, 5)]


@pytest.fixture(scope="module")
def stages():
    draw = np.random.default_rng(0).normal
    made = []
    for stage in range(1, 5):
        shape = (2, SIZE[0] // 2**stage, -(-SIZE[1] // 2**stage))
        features, activation = (jnp.asarray(draw(size=s), jnp.float32) for s in ((*shape, 16), shape))
        made.append(StageSaliency(features, activation, jax.nn.softmax(activation, (1, 2))))
    return made


@pytest.fixture(scope="module")
def sound():
    """Localisation, and the hidden features it compares."""
    draw = np.random.default_rng(1).normal
    hidden = jnp.asarray(draw(size=(2, 4, 3, 128)), jnp.float32), jnp.asarray(draw(size=(2, 128)) / 30, jnp.float32)
    return randomise(BilinearLocalization(rngs=nnx.Rngs(0))), hidden


def upsampled_features(stages, attention) -> jax.Array:
    """V as the paper draws it: [B, H, W, 64]."""
    upsample = jax.jit(upsample_transposed, static_argnums=2)
    maps = [
        upsample(stage.features, module.upsample_features[...], SIZE)
        for stage, module in zip(stages, attention, strict=True)
    ]
    return jnp.concatenate(maps, axis=-1)


def test_visual_fusion_is_the_convolution_of_the_upsampled_features(stages, attention):
    fuse = randomise(StageFusion(rngs=nnx.Rngs(0)))
    plain = fuse.conv(upsampled_features(stages, attention))[..., 0]
    np.testing.assert_allclose(fuse(stages, attention, SIZE), plain, rtol=0, atol=ATOL)


def test_audiovisual_fusion_is_the_convolution_of_features_and_upsampled_localization(stages, attention, sound):
    localization, hidden = sound
    fuseav = randomise(ConcatenationFusion(64, rngs=nnx.Rngs(0)))
    maps = localization(*hidden)  # [B, h, w, 64]
    located = jnp.stack([upsample_bilinear(maps[..., k], SIZE) for k in range(64)], axis=-1)
    plain = fuseav.conv(jnp.concatenate([upsampled_features(stages, attention), located], axis=-1))[..., 0]
    ours = fuseav(stages, attention, localization, hidden, SIZE)
    np.testing.assert_allclose(ours, plain, rtol=0, atol=ATOL)


def test_gradients_reach_both_factors(stages, attention, sound):
    localization, hidden = sound
    fuseav = randomise(ConcatenationFusion(64, rngs=nnx.Rngs(0)))

    def loss(modules):
        fuseav, attention, localization = modules
        return jnp.sum(jnp.sin(fuseav(stages, attention, localization, hidden, SIZE)))

    gradients = nnx.jit(nnx.grad(loss))(nnx.List([fuseav, nnx.List(attention), localization]))
    by_name = {"/".join(map(str, path)): leaf[...] for path, leaf in nnx.to_flat_state(gradients)}
    moved = {name for name, gradient in by_name.items() if np.abs(gradient).max() > 0}
    assert {"0/conv/kernel", "0/conv/bias", "2/kernel", "2/bias"} <= moved
    assert {f"1/{stage}/upsample_features" for stage in range(4)} <= moved
    assert not any(name.endswith("upsample_activation") for name in moved)  # of the side outputs, not made here


def test_side_logits_are_the_upsampled_activations(stages, attention):
    for ours, stage, module in zip(side_logits(stages, attention, SIZE), stages, attention, strict=True):
        kernel = module.upsample_activation[...]
        plain = upsample_transposed(stage.activation[..., None], kernel, SIZE)[..., 0]
        assert ours.shape == (2, *SIZE)
        np.testing.assert_allclose(ours, plain, rtol=0, atol=ATOL)


def test_localization_maps_are_bilinear_forms(sound):
    localization, (visual, heard) = sound
    kernel, bias = localization.kernel[...], localization.bias[...]
    expected = visual[1, 2, 0] @ kernel[5] @ heard[1] + bias[5]
    np.testing.assert_allclose(localization(visual, heard)[1, 2, 0, 5], expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"variant": "best"}, "variant 'best' is not one of visual, l3mul-s3"),
        ({"depth": 51}, "depth 51 is not one of 10, 18, 34, 50, 101, 152, 200"),
        ({"shortcut": "C"}, "shortcut 'C' is not one of A, B"),
    ],
)
def test_unknown_networks_are_told_with_the_known_ones(setting, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**setting)
