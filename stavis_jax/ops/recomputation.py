"""Computes a part of the network again in the backward pass, in an order that needs little memory on a CPU.

XLA:CPU drops optimization barriers before it orders the operations. So it would share what `jax.checkpoint` computes
again with the forward pass, and compute the gradients of parameters at the end, from arrays that are kept until then.
This module sets the order itself: it adds a zero that is computed from other arrays and that XLA cannot simplify away.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def recomputed(function: Callable[..., Any], early: Any, late: Any, constants: Any, inputs: Any) -> Any:
    """Returns function(early, late, constants, inputs). Training keeps these arguments, which are trees of arrays.

    Args:
      function: what to compute. It uses `early` first.
      early: parameters, or anything else with a gradient. What depends on them is computed again.
      late: parameters. What depends on them, and not on `early`, is kept.
      constants: arrays without a gradient.
      inputs: activations.
    """
    return function(early, late, constants, inputs)


def _forward(function: Callable, *arguments: Any) -> tuple[Any, tuple]:
    return function(*arguments), arguments


def _backward(function: Callable, kept: tuple, gradient: Any) -> tuple:
    early, late, constants, inputs = kept
    early = after(gradient, early)  # otherwise XLA keeps the results of the forward pass
    pull_back = jax.vjp(lambda e, p, x: function(e, p, constants, x), early, late, inputs)[1]
    d_early, d_late, d_inputs = pull_back(gradient)
    # The gradients of parameters come first. Then what they are computed from is freed.
    return d_early, d_late, jax.tree.map(jnp.zeros_like, constants), after((d_early, d_late), d_inputs)


recomputed.defvjp(_forward, _backward)


def after(done: Any, tree: Tree) -> Tree:
    """Returns a tree of arrays with the same values, which XLA computes after the arrays of another tree.

    It adds zero times some places of `done`, of all clips: if a batch is split over devices, none needs the arrays of
    another one. Where `done` is not finite, the result is not either.
    """
    places = [leaf[(slice(None), *[0] * (leaf.ndim - 1))] for leaf in jax.tree.leaves(done) if leaf.ndim]
    if not places:
        return tree
    zero = 0 * sum((jnp.sum(place.astype(jnp.float32)) for place in places), jnp.float32(0))
    return jax.tree.map(lambda leaf: leaf + jnp.broadcast_to(zero.astype(leaf.dtype), leaf.shape), tree)


@jax.custom_vjp
def written_once(tree: Tree, finite: jax.Array) -> Tree:
    """Returns the arrays of a tree, and makes XLA:CPU write them to memory.

    XLA would compute a cheap array again for each reader, from all that it depends on, back to the last convolutions.
    It does not do so with divisions, which it takes for expensive. This divides by a one that XLA does not know.

    Args:
      tree: the arrays.
      finite: any finite number that XLA does not know.
    """
    one = 1 + 0 * finite
    return jax.tree.map(lambda leaf: leaf / jnp.broadcast_to(one.astype(leaf.dtype), leaf.shape), tree)


def _write(tree: Tree, finite: jax.Array) -> tuple[Tree, jax.Array]:
    return written_once(tree, finite), finite


written_once.defvjp(_write, lambda finite, gradient: (gradient, jnp.zeros_like(finite)))
