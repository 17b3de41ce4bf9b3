"""The training on single frames learns, and its schedule and batches are as described."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tools.starter import train_flat  # noqa: E402
from tools.starter.train_flat import correlation, drawn_batch, loss_of, rate_at  # noqa: E402


def spots(number: int, seed: int, colour: int = 255) -> dict[str, np.ndarray]:
    """Returns grey pictures with a spot each, where people look."""
    draw = np.random.default_rng(seed)
    arrays = {
        "picture": np.full((number, 32, 32, 3), 90, np.uint8),
        "density": np.zeros((number, 32, 32), np.uint8),
    }
    for row, (y, x) in enumerate(draw.integers(2, 22, (number, 2))):
        arrays["picture"][row, y : y + 8, x : x + 8] = colour
        arrays["density"][row, y : y + 8, x : x + 8] = 255
    return arrays


@pytest.mark.slow
def test_it_learns_to_find_what_people_look_at():
    tested = spots(20, seed=2)
    network = train_flat.train(spots(30, seed=0), spots(60, seed=1), tested, steps=60, seed=0)
    assert not network.training
    assert train_flat.score(network, tested) > 0.4


@pytest.mark.slow
def test_the_same_seed_trains_the_same_network():
    first, second = (
        train_flat.train(spots(10, seed=0), spots(10, seed=1), spots(2, seed=2), steps=2, seed=3).state_dict()
        for _ in range(2)
    )
    for name, array in first.items():
        torch.testing.assert_close(array, second[name], rtol=0, atol=1e-5)


def test_a_batch_has_its_share_of_real_pictures():
    batch = drawn_batch(spots(5, 0, colour=255), spots(5, 1, colour=0), 32, np.random.default_rng(0))
    assert batch.pictures.shape == (32, 3, 32, 32)
    assert (batch.pictures.amax((1, 2, 3)) == 255).sum() == 5
    torch.testing.assert_close(batch.densities.sum((1, 2)), torch.ones(32))


def test_the_rate_rises_and_then_falls_to_nothing():
    rates = [rate_at(step, 1000) for step in range(1, 1001)]
    top = int(np.argmax(rates))
    assert 50 < top < 150 and rates[top] > 0.95
    assert rates[-1] == pytest.approx(0, abs=1e-5)
    assert np.all(np.diff(rates[:top]) > 0) and np.all(np.diff(rates[top:]) < 0)


def test_the_loss_is_lower_for_the_right_map():
    density = torch.zeros(1, 16, 16)
    density[0, 4:8, 4:8] = 1 / 16
    weights = train_flat.starter.get_config().stages.visual.loss_weights
    right, wrong = (loss_of(logits, density, weights) for logits in (320 * density - 10, 320 * density.flip(2) - 10))
    assert right < wrong
    assert correlation(320 * density - 10, density)[0] > 0.99
