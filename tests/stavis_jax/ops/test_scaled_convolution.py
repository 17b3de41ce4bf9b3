"""Blocks that convolve a video times a map, against the map's product written first."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stavis_jax.models.layers import BatchNorm, Conv3D
from stavis_jax.models.resnet3d import Layer
from stavis_jax.ops.backend_form import TEXTBOOK
from stavis_jax.ops.clip_pairs import paired, unpaired

SCALED = dataclasses.replace(TEXTBOOK, scaled_convolution=True)
draw = np.random.default_rng(0)
VIDEO = jnp.asarray(draw.normal(size=(2, 4, 5, 6, 8)), jnp.float32)
FACTOR = jnp.asarray(draw.uniform(1, 2, (2, 5, 6)), jnp.float32)


@pytest.mark.parametrize("side_by_side", [False, True])
@pytest.mark.parametrize(
    ("depth", "width", "stride", "shortcut"),
    [(50, 2, 2, "B"), (50, 2, 2, "A"), (50, 2, 1, "B"), (18, 3, 2, "B")],  # the third adds the video itself
)
def test_a_layers_output_and_gradients_are_those_of_the_textbook(depth, width, stride, shortcut, side_by_side):
    results = []
    for form in (TEXTBOOK, SCALED):
        layer = Layer(depth, 8, width, 2, stride, shortcut, rngs=nnx.Rngs(0))
        layer.set_attributes(BatchNorm, Conv3D, form=form)
        graph, params, statistics = nnx.split(layer, nnx.Param, nnx.BatchStat)

        def loss(params, video, factor, graph=graph, statistics=statistics, form=form):
            layer = nnx.merge(graph, params, jax.tree.map(jnp.copy, statistics))
            video = paired(video) if side_by_side and form == SCALED else video
            output = unpaired(layer(video, True, factor), layer.channels)
            return jnp.mean(jnp.sin(output)), output

        learn = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
        results.append(learn(params, VIDEO, FACTOR))
    textbook, ours = map(jax.tree.leaves, results)
    for one, other in zip(ours, textbook, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * float(jnp.max(jnp.abs(other))))
