import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.attention import DeeplySupervisedAttention, StageSaliency
from stavis_jax.models.fusion import VARIANTS, FusionInputs, VisualFusion, WeightedSum
from stavis_jax.models.localization import Bilinear, Cosine, InnerProduct
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.ops.upsampling import upsample_bilinear, upsample_transposed

SIZE = (32, 24)
ATOL = 1e-4  # float32: the composed form sums in another order


def randomise(module: nnx.Module, seed: int = 0) -> nnx.Module:
    """Draws every parameter, including the off-diagonal values of upsampling kernels."""
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
    """Returns a localisation and the hidden features that it compares."""
    draw = np.random.default_rng(1).normal
    hidden = jnp.asarray(draw(size=(2, 4, 3, 128)), jnp.float32), jnp.asarray(draw(size=(2, 128)) / 30, jnp.float32)
    return randomise(Bilinear(rngs=nnx.Rngs(0))), hidden


def upsampled_features(stages, attention) -> jax.Array:
    """Returns V [B, H, W, 64] at full resolution, as the paper draws it."""
    maps = [
        upsample_transposed(stage.features, module.upsample_features[...], SIZE)
        for stage, module in zip(stages, attention, strict=True)
    ]
    return jnp.concatenate(maps, axis=-1)


@pytest.mark.slow
def test_visual_fusion_is_the_convolution_of_the_upsampled_features(stages, attention):
    fuse = randomise(VisualFusion(rngs=nnx.Rngs(0)))
    plain = computed(lambda: fuse.conv(upsampled_features(stages, attention))[..., 0])
    inputs = FusionInputs(stages, attention, fuse, None, None, SIZE)
    np.testing.assert_allclose(computed(inputs.visual_map), plain, rtol=0, atol=ATOL)


@pytest.fixture
def build(stages, attention, sound):
    """Returns a variant's fusion with random parameters, and its inputs."""

    def build(name: str, seed: int = 0):
        variant, rngs = VARIANTS[name], nnx.Rngs(0)
        fuse = randomise(VisualFusion(rngs=rngs), 5)
        localization = randomise(variant.localization(variant.num_maps, rngs=rngs), 6)
        inputs = FusionInputs(stages, attention, fuse, localization, sound[1], SIZE)
        return randomise(variant.fusion(variant.num_maps, rngs=rngs), seed), inputs

    return build


def upsampled_maps(inputs: FusionInputs) -> jax.Array:
    """Returns L^u [B, H, W, K]."""
    maps = inputs.localization(*inputs.hidden)
    return jnp.stack([upsample_bilinear(maps[..., k], SIZE) for k in range(maps.shape[-1])], axis=-1)


def drawn_in_the_paper(name: str, fusion, inputs: FusionInputs) -> jax.Array:
    """Computes the variant's logits from V, S_v and L^u at full resolution, convolution by convolution."""
    features, located = upsampled_features(inputs.stages, inputs.attention), upsampled_maps(inputs)
    visual = inputs.fuse.conv(features)
    if name.endswith("audio-only"):
        return fusion.conv(located)
    if name.endswith("s1"):
        return fusion.conv(jnp.concatenate([visual, located], -1))
    if name.endswith("s2"):
        return fusion.conv(features * (1 + located))
    concatenation = fusion if name.endswith("s3") else fusion.concatenation
    both = concatenation.conv(jnp.concatenate([features, located], -1))
    if name.endswith("s3"):
        return both
    return fusion.conv(jnp.concatenate([visual, fusion.audio_only.conv(located), both], -1))


def computed(function) -> np.ndarray:
    """Calls a function as one compiled program, which compiles faster than each operation by itself."""
    return np.asarray(jax.jit(function)())


def logits(fusion, inputs: FusionInputs) -> np.ndarray:
    return computed(lambda: fusion(inputs))


SOUNDING = [name for name, variant in VARIANTS.items() if variant.uses_sound]


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUNDING)
def test_a_fusion_is_what_the_paper_draws_at_full_resolution(name, build):
    fusion, inputs = build(name)
    with jax.numpy_rank_promotion("allow"):
        expected = computed(lambda: drawn_in_the_paper(name, fusion, inputs)[..., 0])
    np.testing.assert_allclose(logits(fusion, inputs), expected, rtol=0, atol=3e-5 * np.abs(expected).max())


def test_there_are_the_thirteen_systems_of_the_tables():
    methods = {name.rpartition("-")[0] for name in VARIANTS}
    assert len(VARIANTS) == 13
    assert methods == {"", "l1", "l2", "l3", "l3mul", "l1-audio", "l2-audio", "l3-audio"}


@pytest.mark.slow
def test_fus_with_no_weight_on_the_others_is_s3(build):
    fus, inputs = build("l3mul-fus")
    fus.conv.kernel[...] = jnp.float32([0, 0, 1]).reshape(1, 1, 3, 1)
    fus.conv.bias[...] = jnp.zeros(1)
    np.testing.assert_allclose(logits(fus, inputs), logits(fus.concatenation, inputs), rtol=1e-5, atol=ATOL)


def test_s1_starts_as_the_visual_map_and_the_localization(build):
    _, inputs = build("l2-s1")
    start = WeightedSum(1, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(
        logits(start, inputs),
        computed(lambda: inputs.visual_map() + inputs.weighted_localization(jnp.ones(1))),
        rtol=1e-5,
        atol=ATOL,
    )


def test_s2_where_nothing_is_located_is_the_convolution_of_the_features(build):
    for name in ("l3-s2", "l3mul-s2"):
        fusion, inputs = build(name)
        inputs.localization.kernel[...] *= 0.0
        inputs.localization.bias[...] *= 0.0
        weights = fusion.conv.kernel[...][0, 0, :, 0]
        np.testing.assert_allclose(
            logits(fusion, inputs),
            computed(
                lambda fusion=fusion, inputs=inputs, w=weights: inputs.weighted_features(w) + fusion.conv.bias[...][0]
            ),
            rtol=1e-5,
            atol=ATOL,
        )


def test_s2_with_sixty_four_equal_maps_is_s2_with_one(build):
    many, inputs = build("l3mul-s2")
    one, of_one = build("l3-s2")
    inputs.localization.kernel[...] = jnp.repeat(of_one.localization.kernel[...], 64, axis=0)
    inputs.localization.bias[...] = jnp.repeat(of_one.localization.bias[...], 64)
    np.testing.assert_allclose(logits(many, inputs), logits(one, of_one), rtol=1e-4, atol=ATOL)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUNDING)
def test_gradients_reach_every_factor_of_the_logits(name, build):
    fusion, inputs = build(name)

    def loss(modules):
        fusion, fuse, attention, localization = modules
        given = FusionInputs(inputs.stages, attention, fuse, localization, inputs.hidden, SIZE)
        return jnp.sum(jnp.sin(fusion(given)))

    modules = (fusion, inputs.fuse, tuple(inputs.attention), inputs.localization)
    gradients = nnx.jit(nnx.grad(loss))(modules)
    by_name = {"/".join(map(str, path)): leaf[...] for path, leaf in nnx.to_flat_state(nnx.state(gradients))}
    still = {name for name, gradient in by_name.items() if np.abs(gradient).max() == 0}
    variant = VARIANTS[name]
    unused = {f"2/{m}/{what}" for m in range(4) for what in ("upsample_activation",)}
    unused |= {path for path in by_name if path.startswith("2/") and not path.endswith(("_features", "_activation"))}
    unused |= set() if variant.uses_visual_map else {"1/conv/kernel", "1/conv/bias"}
    unused |= set() if variant.uses_features else {f"2/{m}/upsample_features" for m in range(4)}
    assert still == unused


def test_side_logits_are_the_upsampled_activations(stages, attention):
    inputs = FusionInputs(stages, attention, None, None, None, SIZE)
    for ours, stage, module in zip(jax.jit(inputs.side_logits)(), stages, attention, strict=True):
        kernel = module.upsample_activation[...]
        plain = computed(lambda s=stage, k=kernel: upsample_transposed(s.activation[..., None], k, SIZE)[..., 0])
        assert ours.shape == (2, *SIZE)
        np.testing.assert_allclose(ours, plain, rtol=0, atol=ATOL)


def test_localization_maps_are_bilinear_forms(sound):
    localization, (visual, heard) = sound
    kernel, bias = localization.kernel[...], localization.bias[...]
    expected = visual[1, 2, 0] @ kernel[5] @ heard[1] + bias[5]
    np.testing.assert_allclose(localization(visual, heard)[1, 2, 0, 5], expected, rtol=0, atol=ATOL)


def hidden_features(seed: int) -> tuple[jax.Array, jax.Array]:
    draw = np.random.default_rng(seed).normal
    return jnp.asarray(draw(size=(2, 3, 4, 128)), jnp.float32), jnp.asarray(draw(size=(2, 128)), jnp.float32)


def test_l3_with_a_diagonal_form_is_l2():
    l2, l3 = randomise(InnerProduct(rngs=nnx.Rngs(0))), Bilinear(1, rngs=nnx.Rngs(0))
    l3.kernel[...], l3.bias[...] = jnp.diag(l2.kernel[...])[None], l2.bias[...]
    hidden = hidden_features(3)
    np.testing.assert_allclose(l2(*hidden), l3(*hidden), rtol=1e-5, atol=1e-5)


def test_l1_is_one_for_parallel_vectors_and_zero_for_orthogonal_ones():
    l1, (_, sound) = Cosine(rngs=nnx.Rngs(0)), hidden_features(4)
    across = jnp.roll(sound.reshape(2, 64, 2), 1, -1) * jnp.float32([1, -1]).reshape(1, 1, 2)
    places = jnp.stack([3 * sound, across.reshape(2, 128), -0.1 * sound], 1)[:, None]  # [B, 1, 3, 128]
    np.testing.assert_allclose(
        l1(places, sound)[..., 0], jnp.broadcast_to(jnp.float32([1, 0, -1]), (2, 1, 3)), atol=1e-6
    )


def test_l1_of_silence_is_zero_and_so_is_its_gradient():
    l1, (places, sound) = Cosine(rngs=nnx.Rngs(0)), hidden_features(4)
    value, gradients = jax.jit(jax.value_and_grad(lambda p, s: jnp.sum(l1(p, s)), (0, 1)))(places, 0 * sound)
    assert value == 0
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    np.testing.assert_array_equal(gradients[1], 0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"variant": "best"}, "variant 'best' is not one of visual, l1-audio-only, .*, l3mul-s2, l3mul-s3, l3mul-fus"),
        ({"depth": 51}, "depth 51 is not one of 10, 18, 34, 50, 101, 152, 200"),
        ({"shortcut": "C"}, "shortcut 'C' is not one of A, B"),
    ],
)
def test_unknown_networks_are_told_with_the_known_ones(setting, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**setting)
