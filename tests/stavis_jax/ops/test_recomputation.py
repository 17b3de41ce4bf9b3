"""Recomputation changes no numbers and keeps less for the backward pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stavis_jax.ops.compiler_options import training_options
from stavis_jax.ops.recomputation import after, recomputed, written_once

WIDTH = 64


def layer(early, late, constants, inputs):
    return jnp.tanh(inputs * early + constants) @ late


def run(is_recomputed: bool, params, constants, x):
    for early, late in params:
        x = recomputed(layer, early, late, constants, x) if is_recomputed else layer(early, late, constants, x)
    return jnp.sum(jnp.sin(x))


def arguments():
    draw = np.random.default_rng(0).normal
    vector, matrix = (
        lambda: jnp.asarray(draw(size=(1, WIDTH)), jnp.float32),
        lambda: jnp.asarray(draw(size=(WIDTH, WIDTH)) / 8, jnp.float32),
    )
    params = [(vector(), matrix()) for _ in range(6)]
    return params, vector(), jnp.asarray(draw(size=(256, WIDTH)), jnp.float32)


def test_gradients_stay_the_same():
    params, constants, x = arguments()
    plain, again = (
        jax.jit(jax.grad(lambda p, x, way=way: run(way, p, constants, x), (0, 1)))(params, x) for way in (False, True)
    )
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the order of operations is that of a CPU")
def test_a_cpu_needs_less_memory():
    params, constants, x = arguments()
    needed = [
        jax.jit(jax.grad(lambda p, x, way=way: run(way, p, constants, x)), compiler_options=training_options())
        .lower(params, x)
        .compile()
        .memory_analysis()
        .temp_size_in_bytes
        for way in (False, True)
    ]
    assert needed[1] < 0.8 * needed[0]


def test_constants_have_no_gradient():
    (params, constants, x), zero = arguments(), np.zeros((1, WIDTH))
    np.testing.assert_array_equal(jax.grad(lambda c: run(True, params, c, x))(constants), zero)


@pytest.mark.parametrize("done", [(), jnp.float32(1), [jnp.ones((2, 3)), jnp.ones(4)]])
def test_what_comes_later_keeps_its_values(done):
    tree = {"a": jnp.arange(6.0).reshape(2, 3), "b": jnp.arange(2.0)}
    for ours, theirs in zip(jax.tree.leaves(after(done, tree)), jax.tree.leaves(tree), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_writing_changes_neither_values_nor_gradients():
    x = jnp.asarray([-1.5, 0.0, 1e-30, 3e30], jnp.float32)
    np.testing.assert_array_equal(jax.jit(written_once)(x, jnp.float32(7)), x)
    gradient, of_finite = jax.grad(lambda x, y: jnp.sum(3 * written_once(x, y)), (0, 1))(x, jnp.float32(7))
    np.testing.assert_array_equal(gradient, np.full(4, 3.0))
    assert of_finite == 0
