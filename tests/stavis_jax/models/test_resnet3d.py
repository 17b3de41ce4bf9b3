import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH, BasicBlock, PaddingShortcut, ResNet3D, stage_channels
from stavis_jax.ops.pooling import max_pool3d
from stavis_jax.ops.video import lay_out
from stavis_jax.weights.flat_names import flat_name


def trunk_of(depth: int, shortcut: str) -> ResNet3D:
    return nnx.eval_shape(lambda: ResNet3D(depth, shortcut, rngs=nnx.Rngs(0)))


def number_of_weights(trunk: ResNet3D) -> int:
    return sum(variable.size for _, variable in nnx.to_flat_state(nnx.state(trunk, nnx.Param)))


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("depth", [10, 50])
def test_stages_have_the_sizes_of_the_papers_table(depth, shortcut):
    def stages(clip):
        trunk = ResNet3D(depth, shortcut, rngs=nnx.Rngs(0))
        x = trunk.stem(clip, False)
        sizes = [x]
        x = max_pool3d(x)
        for layer in (trunk.layer1, trunk.layer2, trunk.layer3):
            x = layer(x, False)
            sizes.append(x)
        return sizes

    stem, first, second, third = stage_channels(depth)
    assert [x.shape for x in jax.eval_shape(stages, jax.ShapeDtypeStruct((1, 16, 112, 112, 3), jnp.float32))] == [
        (1, 16, 56, 56, stem),
        (1, 8, 28, 28, first),
        (1, 4, 14, 14, second),
        (1, 2, 7, 7, third),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("depth", BLOCKS_OF_DEPTH)
def test_every_depth_has_its_number_of_convolutions(depth):
    names = [flat_name(path) for path, _ in nnx.to_flat_state(nnx.state(trunk_of(depth, "A")))]
    convolutions = sum(name.endswith("kernel") for name in names)
    last_stage = {10: 2, 18: 4, 34: 6}.get(depth, 9)
    assert convolutions + last_stage + 1 == depth  # depth counts the missing last stage and classifier too


def test_projections_are_where_the_shape_changes():
    names = {flat_name(path) for path, _ in nnx.to_flat_state(nnx.state(trunk_of(18, "B")))}
    with_projection = {name.rpartition("/shortcut/")[0] for name in names if "/shortcut/" in name}
    assert with_projection == {"layer2/block0", "layer3/block0"}
    names = {flat_name(path) for path, _ in nnx.to_flat_state(nnx.state(trunk_of(50, "B")))}
    with_projection = {name.rpartition("/shortcut/")[0] for name in names if "/shortcut/" in name}
    assert with_projection == {"layer1/block0", "layer2/block0", "layer3/block0"}
    assert number_of_weights(trunk_of(50, "A")) < number_of_weights(trunk_of(50, "B"))


@pytest.mark.parametrize("layout", ["array", "frames"])
def test_padding_shortcut_takes_every_second_step_and_adds_empty_channels(layout):
    clip = jnp.asarray(np.random.default_rng(0).normal(size=(1, 5, 4, 6, 2)), jnp.float32)
    x = PaddingShortcut(2, 5, 2)(lay_out(clip, layout), False)
    x = jnp.stack(x, axis=1) if layout == "frames" else x
    assert x.shape == (1, 3, 2, 3, 5)
    np.testing.assert_array_equal(x[..., :2], clip[:, ::2, ::2, ::2])
    assert not np.any(x[..., 2:])


def test_gradient_passes_both_kinds_of_shortcut():
    # The authors' type A cuts it, which is a fault of theirs.
    for shortcut in ("A", "B"):
        block = BasicBlock(2, 4, 2, shortcut, rngs=nnx.Rngs(0))
        block.conv2.kernel[...] = jnp.zeros_like(block.conv2.kernel[...])  # only the shortcut is left
        gradient = jax.grad(lambda x, block=block: jnp.sum(block(x, False)))(jnp.ones((1, 2, 4, 4, 2)))
        assert np.abs(gradient).max() > 0
