"""The order of a training's arrays on a GPU, tried on a CPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental.layout import Format
from small_training import RATES, SmallNetwork

from stavis_jax.training import optimizer, step
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.state_layout import KERNEL_3D, place_state, state_formats


@pytest.fixture
def training() -> tuple[step.StepConstants, step.TrainState, dict]:
    constants, state = step.create(
        SmallNetwork(rngs=nnx.Rngs(0)), functools.partial(optimizer.sgd, 0.1), RATES, effective_batch=2
    )
    draw = np.random.default_rng(0)
    batch = {
        "clip": np.float32(draw.normal(0, 20, (2, 4, 16, 16, 3))),
        "density": np.float32(draw.uniform(0, 255, (2, 16, 16))),
        "fixations": np.float32(draw.uniform(size=(2, 16, 16)) > 0.95),
        "weight": np.ones(2, np.float32),
    }
    return constants, state, batch


def order_of(array: jax.Array) -> tuple[int, ...]:
    return array.format.layout.major_to_minor


def test_a_gpu_keeps_kernels_and_their_momentum_in_its_order(training):
    _, state, _ = training
    placed = place_state(state, DataParallel(jax.devices()[:2]), "gpu")
    orders = {array.ndim: order_of(array) for array in jax.tree.leaves(placed)}
    assert orders[5] == KERNEL_3D
    assert all(order == tuple(range(ndim)) for ndim, order in orders.items() if ndim != 5)
    assert sum(array.ndim == 5 for array in jax.tree.leaves(placed)) == 2 * 4  # 4 convolutions
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(placed), jax.device_get(state))


@pytest.mark.parametrize("platform", ["cpu", "tpu", None])
def test_other_devices_keep_the_usual_order(training, platform):
    assert not any(
        isinstance(one, Format) for one in jax.tree.leaves(state_formats(training[1], DataParallel(), platform))
    )


def test_steps_keep_the_order_and_compute_the_same(training):
    constants, state, batch = training
    devices = DataParallel(jax.devices()[:1])
    results = []
    for platform in ("cpu", "gpu"):
        train_step = step.compiled_train_step(constants, devices, state, platform=platform)
        now = place_state(jax.tree.map(jnp.copy, state), devices, platform)
        orders = list(map(order_of, jax.tree.leaves(now)))
        for _ in range(2):
            now, values = train_step(now, {}, devices.split_batch(batch), jnp.float32(0.5))
        assert list(map(order_of, jax.tree.leaves(now))) == orders
        assert train_step._cache_size() == 1  # the second step is not compiled again
        results.append(jax.device_get((now, values)))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), *results)
