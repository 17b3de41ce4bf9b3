"""Two clips side by side, against the same clips one after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.layers import BatchNorm, Conv3D
from stavis_jax.models.resnet3d import BasicBlock, Bottleneck
from stavis_jax.ops.clip_pairs import paired, unpaired
from stavis_jax.ops.video import scale_by_map


def clips(number: int = 4, channels: int = 6) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(3, 2, (number, 4, 5, 3, channels)), jnp.float32)


def test_pairs_hold_the_first_clip_and_then_the_second():
    video = clips()
    pairs = paired(video)
    np.testing.assert_array_equal(pairs[1], np.concatenate([video[2], video[3]], axis=-1))
    np.testing.assert_array_equal(unpaired(pairs, 6), video)


def test_an_odd_batch_stays_as_it_is():
    video = clips(3)
    assert paired(video) is video and unpaired(video, 6) is video


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (Conv3D(6, 5, 3, (2, 1, 2), rngs=nnx.Rngs(0)), ()),
        (BatchNorm(6), (True,)),
        (BatchNorm(6), (False,)),
        (Bottleneck(6, 2, 1, "B", rngs=nnx.Rngs(0)), (True,)),
        (BasicBlock(6, 9, 2, "A", rngs=nnx.Rngs(0)), (True,)),
    ],
)
def test_layers_keep_the_clips_of_a_pair_apart(layer, arguments):
    run = nnx.jit(lambda layer, x: layer(x, *arguments))
    expected = run(nnx.clone(layer), clips())
    found = unpaired(run(nnx.clone(layer), paired(clips())), expected.shape[-1])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_each_clip_of_a_pair_is_scaled_by_its_own_map():
    factor = jnp.asarray(np.random.default_rng(1).uniform(1, 2, (4, 5, 3)), jnp.float32)
    found = unpaired(scale_by_map(paired(clips()), factor), 6)
    np.testing.assert_array_equal(found, scale_by_map(clips(), factor))
