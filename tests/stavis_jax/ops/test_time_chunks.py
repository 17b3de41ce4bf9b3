"""Chunks of clips, against whole clips."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.clip_pairs import paired
from stavis_jax.ops.conv3d import conv3d
from stavis_jax.ops.pixel_pairs import conv_pixel_pairs, pixel_pairs
from stavis_jax.ops.pooling import max_pool3d, pool_chunks
from stavis_jax.ops.time_chunks import TimeChunks
from stavis_jax.ops.video import scale_by_map, time_mean

draw = np.random.default_rng(0)
both_orders = pytest.mark.parametrize("devices", [1, 2])


@both_orders
def test_chunks_of_a_clip_are_convolved_with_their_neighbours(devices):
    clip = jnp.asarray(draw.normal(size=(4, 8, 6, 5, 3)), jnp.float32)
    kernel = jnp.asarray(draw.normal(size=(5, 3, 3, 3, 2)), jnp.float32)
    chunks = TimeChunks(4, devices)
    frames = conv_pixel_pairs(chunks.cut(pixel_pairs(clip, 3), 2), kernel)
    assert len(frames) == 2
    np.testing.assert_allclose(chunks.joined(frames), conv3d(clip, kernel, (1, 2, 2)), rtol=0, atol=1e-4)


@both_orders
def test_chunks_are_averaged_and_pooled_as_clips(devices):
    clip = jnp.asarray(draw.uniform(size=(4, 8, 7, 6, 3)), jnp.float32)
    factor = jnp.asarray(draw.uniform(1, 2, (4, 7, 6)), jnp.float32)
    chunks = TimeChunks(2, devices)

    def of_chunks(clip, factor):
        pieces = chunks.cut(clip, 0)
        frames = tuple(pieces[:, t] for t in range(4))
        return chunks.mean(time_mean(frames)), pool_chunks(frames, chunks.spread(factor), chunks)

    def of_clips(clip, factor):
        return time_mean(clip), max_pool3d(scale_by_map(clip, factor))

    results = []
    for function in (of_chunks, of_clips):
        values, pull_back = jax.vjp(jax.jit(function), clip, factor)
        results.append((*values, *pull_back(jax.tree.map(jnp.sin, values))))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@both_orders
@pytest.mark.parametrize("clips", [4, 6])
def test_frames_are_joined_to_pairs_of_clips(devices, clips):
    chunks = TimeChunks(2, devices)
    pieces = chunks.cut(jnp.asarray(draw.normal(size=(clips, 8, 3, 2, 5)), jnp.float32), 0)
    frames = tuple(pieces[:, t] for t in range(4))
    together = paired(chunks.joined(frames), devices)
    assert together.shape[0] == (clips if clips == 6 and devices == 2 else clips // 2)
    np.testing.assert_array_equal(chunks.joined_in_pairs(frames), together)


@both_orders
def test_a_devices_chunks_are_those_of_its_own_clips(devices):
    clip = jnp.arange(4.0).reshape(4, 1, 1) * jnp.ones((4, 6, 1))
    order = TimeChunks(3, devices).cut(clip, 0)[:, 0, 0]
    np.testing.assert_array_equal(order, [0, 1, 2, 3] * 3 if devices == 1 else [0, 1] * 3 + [2, 3] * 3)


def test_chunks_fill_the_lanes_if_they_can():
    numbers = {clips: TimeChunks.for_batch(clips, 16).number for clips in (1, 16, 32, 33, 128, 500)}
    assert numbers == {1: 8, 16: 8, 32: 4, 33: 4, 128: 1, 500: 1}
    assert TimeChunks.for_batch(128, 16, 4) == TimeChunks(4, 4)
    assert TimeChunks.for_batch(128, 12) == TimeChunks(1) and TimeChunks.for_batch(8, 12) == TimeChunks(2)
    assert TimeChunks.for_batch(8, 15) is None
