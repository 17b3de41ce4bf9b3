"""The rectified sum: its gradient."""

import jax
import jax.numpy as jnp
import numpy as np

from stavis_jax.ops.rectified_sum import add_and_rectify


def test_the_gradient_of_a_rectified_sum_is_zero_where_the_sum_is_not_positive():
    x, y = jnp.asarray([-1.0, 2.0, 1.0]), jnp.asarray([-1.0, 1.0, -1.0], jnp.bfloat16)
    d_x, d_y = jax.grad(lambda x, y: jnp.sum(add_and_rectify(x, y, "bfloat16")), argnums=(0, 1))(x, y)
    np.testing.assert_array_equal(d_x, [0, 1, 0])
    assert d_x.dtype == jnp.float32 and d_y.dtype == jnp.bfloat16
