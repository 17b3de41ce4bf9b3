"""Compares SGD with PyTorch's, step by step, and checks rate schedules and frozen parameters."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stavis_jax.training import optimizer
from stavis_jax.training.weight_average import averaged_weights, with_average

GOLDEN = Path(__file__).parents[2] / "golden" / "train.json"


def run(transformation, start: np.ndarray, gradients: list[np.ndarray]) -> list[np.ndarray]:
    params = {"w": jnp.asarray(start)}
    state, path = transformation.init(params), []
    for gradient in gradients:
        updates, state = transformation.update({"w": jnp.asarray(gradient)}, state, params)
        params = optax.apply_updates(params, updates)
        path.append(np.asarray(params["w"]))
    return path


def draw(count: int) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=7).astype(np.float32), [rng.normal(size=7).astype(np.float32) for _ in range(count)]


def test_steps_are_those_of_pytorch_with_dampening_and_decay():
    torch = pytest.importorskip("torch")

    start, gradients = draw(6)
    weight = torch.nn.Parameter(torch.tensor(start))
    sgd = torch.optim.SGD([weight], lr=0.02, momentum=0.9, dampening=0.9, weight_decay=0.1)
    ours = run(optimizer.sgd(0.02, {"w": 1.0}, weight_decay=0.1), start, gradients)
    for gradient, expected in zip(gradients, ours, strict=True):
        weight.grad = torch.tensor(gradient)
        sgd.step()
        np.testing.assert_allclose(expected, weight.detach().numpy(), rtol=1e-6, atol=1e-7)


def test_the_first_step_is_not_dampened():
    one = np.ones(3, np.float32)
    path = run(optimizer.sgd(1.0, {"w": 1.0}, weight_decay=0.0, momentum=0.0), np.zeros(3, np.float32), [one, one])
    np.testing.assert_allclose(path[0], -1.0, rtol=1e-6)
    np.testing.assert_allclose(path[1] - path[0], -0.1, rtol=1e-5)


def test_a_longer_gradient_is_scaled_down_and_a_shorter_one_left():
    gradients = [np.array([3.0, 4.0], np.float32), np.array([0.3, 0.4], np.float32)]
    sgd = optimizer.sgd(1.0, {"w": 1.0}, weight_decay=0.0, momentum=0.0, dampening=0.0, max_gradient_norm=2.0)
    first, second = run(sgd, np.zeros(2, np.float32), gradients)
    np.testing.assert_allclose(first, [-1.2, -1.6], rtol=1e-6)
    np.testing.assert_allclose(second - first, [-0.3, -0.4], rtol=1e-5)


def test_a_rate_of_zero_keeps_a_parameter_bit_for_bit_decay_or_not():
    start, gradients = draw(3)
    for weights in run(optimizer.sgd(0.1, {"w": 0.0}, weight_decay=0.5), start, gradients):
        np.testing.assert_array_equal(weights, start)


def test_gradients_accumulated_over_batches_step_once_as_their_sum():
    start, gradients = draw(4)
    with jax.numpy_dtype_promotion("standard"):  # optax.MultiSteps multiplies a bool and an int
        in_shares = run(optimizer.sgd(0.1, {"w": 1.0}, accumulate=2), start, gradients)
    at_once = run(optimizer.sgd(0.1, {"w": 1.0}), start, [gradients[0] + gradients[1], gradients[2] + gradients[3]])
    np.testing.assert_array_equal(in_shares[0], start)
    np.testing.assert_allclose(in_shares[1::2], at_once, rtol=1e-6)


def test_steps_of_adam_are_those_of_pytorch():
    torch = pytest.importorskip("torch")

    start, gradients = draw(6)
    start = start[None]  # a kernel: it decays
    weight = torch.nn.Parameter(torch.tensor(start))
    adam = torch.optim.AdamW([weight], lr=0.02, weight_decay=0.1)
    with jax.numpy_dtype_promotion("standard"):  # optax raises a float to the power of an int
        ours = run(optimizer.adam(0.02, {"w": 1.0}, weight_decay=0.1), start, [one[None] for one in gradients])
    for gradient, expected in zip(gradients, ours, strict=True):
        weight.grad = torch.tensor(gradient[None])
        adam.step()
        np.testing.assert_allclose(expected, weight.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_biases_do_not_decay_with_adam():
    start, gradients = draw(1)
    for decay in (0.0, 0.5):
        with jax.numpy_dtype_promotion("standard"):
            (after,) = run(optimizer.adam(0.02, {"w": 0.5}, weight_decay=decay), start, gradients)
        np.testing.assert_allclose(after, start - 0.01 * np.sign(gradients[0]), rtol=1e-5, atol=1e-6)


def test_the_cosine_rises_to_the_base_rate_and_falls_to_zero():
    schedule = optimizer.cosine_schedule(0.5, epochs=10, batches_per_epoch=20, accumulate=2)  # 100 steps
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == 0 and max(rates) == rates[5] == 0.5 and rates[100] == 0
    assert rates[1:6] == sorted(rates[1:6]) and rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[5 + 95 // 2] == pytest.approx(0.25, abs=0.01)


def test_the_average_follows_the_weights_and_changes_no_update():
    start, gradients = draw(12)
    sgd = optimizer.sgd(0.1, {"w": 1.0})
    averaged = with_average(sgd, decay=0.5)
    params = {"w": jnp.asarray(start)}
    state, mean, path = averaged.init(params), start, []
    for count, gradient in enumerate(gradients):
        updates, state = averaged.update({"w": jnp.asarray(gradient)}, state, params)
        params = optax.apply_updates(params, updates)
        path.append(np.asarray(params["w"]))
        decay = min(0.5, (1 + count) / (10 + count))
        mean = decay * mean + (1 - decay) * path[-1]
    np.testing.assert_array_equal(path, run(sgd, start, gradients))
    np.testing.assert_allclose(averaged_weights(params, state)["w"], mean, rtol=1e-5)
    assert averaged_weights(params, sgd.init(params)) is params


@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_rates_fall_where_the_released_training_lowered_them(steps_per_epoch):
    expected = json.loads(GOLDEN.read_text())["schedule_factor_by_epoch"]
    schedule = optimizer.step_schedule(0.01, 60, steps_per_epoch)
    for epoch, factor in enumerate(expected, start=1):
        for step in ((epoch - 1) * steps_per_epoch, epoch * steps_per_epoch - 1):  # first and last of the epoch
            assert float(schedule(step)) == pytest.approx(0.01 * factor, rel=1e-5), epoch


def test_fractions_of_an_epoch_are_cut_off_as_in_the_released_code():
    for epochs in range(4, 101):
        schedule = optimizer.step_schedule(1.0, epochs, batches_per_epoch=1)
        rates = [float(schedule(epoch - 1)) for epoch in range(1, epochs + 1)]
        first, second = int(epochs / 2), int(epochs * 3 / 4)
        expected = [1.0 if epoch < first else 0.1 if epoch < second else 0.01 for epoch in range(1, epochs + 1)]
        np.testing.assert_allclose(rates, expected, rtol=1e-5, err_msg=f"{epochs} epochs")


@pytest.mark.parametrize(("batches_per_epoch", "accumulate"), [(50, 4), (2, 4), (8, 4)])
def test_rates_fall_in_the_same_epoch_with_accumulated_gradients(batches_per_epoch, accumulate):
    schedule = optimizer.step_schedule(0.01, 60, batches_per_epoch, accumulate)
    for step in range(60 * batches_per_epoch // accumulate):
        epoch = ((step + 1) * accumulate - 1) // batches_per_epoch + 1  # where the step's last batch lies
        factor = 1.0 if epoch < 30 else 0.1 if epoch < 45 else 0.01
        assert float(schedule(step)) == pytest.approx(0.01 * factor, rel=1e-5), (step, epoch)
