"""BatchNorm folded into a 1x1x1 convolution, against the convolution and then the norm."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.layers import BatchNorm, Conv3D
from stavis_jax.models.resnet3d import Bottleneck
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.ops.batch_norm import statistics
from stavis_jax.ops.clip_pairs import paired
from stavis_jax.ops.conv3d import conv3d
from stavis_jax.ops.folded_norm import folded

FOLDED = dataclasses.replace(TEXTBOOK, batch_norm="folded")
draw = np.random.default_rng(0)


@pytest.mark.parametrize("arrange", [lambda x: x, paired])
def test_statistics_are_those_of_the_convolutions_output(arrange):
    video = jnp.asarray(draw.uniform(0, 3, (2, 4, 5, 6, 3)), jnp.float32)
    kernel = jnp.asarray(draw.normal(size=(1, 1, 1, 3, 12)), jnp.float32)
    scale, bias = jnp.asarray(draw.normal(size=(2, 12)), jnp.float32)
    expected = statistics(conv3d(video, kernel))
    found_kernel, found_bias, found = folded(arrange(video), kernel, scale, bias, 1e-5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    normalised = conv3d(video, found_kernel) + found_bias.reshape(1, 1, 1, 1, -1)
    np.testing.assert_allclose(jnp.mean(normalised, (0, 1, 2, 3)), bias, atol=1e-5)
    np.testing.assert_allclose(jnp.std(normalised, (0, 1, 2, 3)), abs(scale), rtol=1e-4)


@pytest.mark.parametrize("channels", [4, 16])  # with a projection, and without
def test_a_blocks_output_gradients_and_running_statistics_are_those_of_the_textbook(channels):
    video = jnp.asarray(draw.normal(size=(2, 4, 5, 6, channels)), jnp.float32)
    results = []
    for form in (TEXTBOOK, FOLDED):
        block = Bottleneck(channels, 4, 1, "B", rngs=nnx.Rngs(0))
        block.set_attributes(BatchNorm, Conv3D, form=form)
        graph, params, statistics_ = nnx.split(block, nnx.Param, nnx.BatchStat)

        def loss(params, video, graph=graph, before=statistics_):
            block = nnx.merge(graph, params, jax.tree.map(jnp.copy, before))
            output = block(video, True)
            return jnp.mean(jnp.sin(output)), (output, nnx.state(block, nnx.BatchStat))

        results.append(jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(params, video))
    textbook, ours = map(jax.tree.leaves, results)
    for one, other in zip(ours, textbook, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * float(jnp.max(jnp.abs(other))))
