"""Checks what changes over a training in the updates of the real optimiser and in the logged losses."""

import functools
import json

import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from rich.console import Console
from small_training import RATES, SmallNetwork

from stavis_jax.training import optimizer, step
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.loop import TrainingData, train
from stavis_jax.training.losses import LossWeights, loss_terms
from stavis_jax.training.settings import TrainingSettings

EPOCHS = 60


@pytest.fixture(autouse=True)
def promotion_as_users_have_it():
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        yield


def draw_batch(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "clip": rng.normal(0, 50, (count, 4, 16, 16, 3)).astype(np.float32),
        "waveform": np.zeros((count, 16), np.float32),
        "density": rng.uniform(0, 255, (count, 16, 16)).astype(np.float32),
        "fixations": (rng.random((count, 16, 16)) < 0.1).astype(np.float32),
        "weight": np.ones(count, np.float32),
    }


def update_sizes(batches_per_epoch: int, accumulate: int) -> np.ndarray:
    """Returns the sizes of the updates under a gradient of ones, relative to the first: [epochs, batches]."""
    schedule = optimizer.step_schedule(0.5, EPOCHS, batches_per_epoch, accumulate)
    sgd = optimizer.sgd(schedule, {"w": 1.0}, momentum=0.0, dampening=0.0, weight_decay=0.0, accumulate=accumulate)
    start = {"w": jnp.zeros(3)}

    def run(carry, _):
        weights, state = carry
        updates, state = sgd.update({"w": jnp.ones(3)}, state, weights)
        return (optax.apply_updates(weights, updates), state), -updates["w"][0]

    _, sizes = jax.lax.scan(run, (start, sgd.init(start)), length=EPOCHS * batches_per_epoch)
    return np.asarray(sizes).reshape(EPOCHS, batches_per_epoch) / (0.5 * accumulate)


def factor(epoch: int) -> float:
    """Returns the rate of an epoch, counted from 1, relative to the first: a tenth from 30, a hundredth from 45."""
    return 1.0 if epoch < 30 else 0.1 if epoch < 45 else 0.01


def test_updates_shrink_tenfold_in_epochs_30_and_45():
    expected = np.array([[factor(epoch)] * 2 for epoch in range(1, EPOCHS + 1)])
    np.testing.assert_allclose(update_sizes(2, 1), expected, rtol=1e-5)


def test_accumulated_updates_come_every_fourth_batch_and_shrink_in_the_same_epochs():
    sizes = update_sizes(8, 4)
    expected = np.zeros((EPOCHS, 8))
    expected[:, [3, 7]] = np.array([factor(epoch) for epoch in range(1, EPOCHS + 1)])[:, None]
    np.testing.assert_allclose(sizes, expected, rtol=1e-5)


@pytest.mark.slow
def test_accumulating_four_batches_of_two_updates_as_one_of_eight():
    """The eight clips are the same two, four times, so that BatchNorm's statistics are those of two clips."""
    two = draw_batch(2)
    eight = {name: np.concatenate([array] * 4) for name, array in two.items()}
    results = []
    for batches in ([two] * 4, [eight]):
        make_optimizer = functools.partial(optimizer.sgd, 0.1, accumulate=len(batches))
        job, state = step.create(SmallNetwork(rngs=nnx.Rngs(0)), make_optimizer, RATES, effective_batch=8)
        run, before = jax.jit(functools.partial(step.train_step, job)), state.params
        for i, batch in enumerate(batches):
            assert i == 0 or all(map(np.array_equal, jax.tree.leaves(state.params), jax.tree.leaves(before)))
            state, _ = run(state, batch, jnp.float32(0.5))
        moved = jax.tree.map(lambda a, b: a - b, state.params, before)
        results.append(jax.tree.leaves(moved))
    for in_shares, at_once in zip(*results, strict=True):
        assert np.abs(at_once).max() > 0
        # A float32 parameter moves in steps of 1e-7 of itself; the largest is 1.
        np.testing.assert_allclose(in_shares, at_once, rtol=1e-4, atol=3e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("frames", "seen"), [(1, slice(7, 8)), (4, slice(6, 10)), (16, slice(0, 16))])
def test_training_and_validation_see_the_frames_around_the_target_frame(frames, seen):
    batch = draw_batch(2)
    batch["clip"] = np.random.default_rng(1).normal(0, 50, (2, 16, 16, 16, 3)).astype(np.float32)
    cut = batch | {"clip": batch["clip"][:, seen]}
    make_optimizer = functools.partial(optimizer.sgd, 0.1)
    few, all_frames = (
        step.create(SmallNetwork(rngs=nnx.Rngs(0)), make_optimizer, RATES, effective_batch=2, frames=count)
        for count in (frames, 16)
    )
    for side_weight in (None, jnp.float32(0.5)):
        run = step.loss_step if side_weight is None else functools.partial(step.train_step, side_weight=side_weight)
        values = [run(*job, clips) for job, clips in ((few, batch), (all_frames, cut))]
        named = [next(part for part in value if isinstance(part, dict)) for value in values]
        assert float(named[0]["loss"]) == pytest.approx(float(named[1]["loss"]), rel=1e-5)


@pytest.mark.slow
def test_side_outputs_count_ever_less_in_the_losses_that_are_logged(tmp_path):
    """A rate of 0 keeps the parameters, so each epoch's loss is main + (1 - epoch / epochs) * sides of one batch."""
    epochs, batch = 4, draw_batch(4)
    lines = train_on(tmp_path, batch, epochs=epochs, learning_rate=0.0)
    network = SmallNetwork(rngs=nnx.Rngs(0))
    outputs = network(batch["clip"], batch["waveform"], train=True)
    main, side = (
        float(jnp.mean(loss_terms(logits, batch["density"], batch["fixations"], LossWeights())["loss"]))
        for logits in (outputs.logits, *outputs.side_logits)
    )
    expected = [main + (1 - epoch / epochs) * side for epoch in range(1, epochs + 1)]
    np.testing.assert_allclose([line["loss"] for line in lines], expected, rtol=1e-5)
    assert expected[-1] == pytest.approx(main) and side > 1


def train_on(folder, batch, validation=None, bias: float = 0.0, **changes) -> list[dict]:
    """Trains two steps per epoch, always on the same batch. Returns the lines of the journal."""

    settings = {"batch_size": 4, "effective_batch": 4, "learning_rate": 1e-4, "group_rates": RATES}
    network = SmallNetwork(rngs=nnx.Rngs(0))
    network.fuse.conv.bias[...] = jnp.full(1, bias)
    batches = iter(grain.MapDataset.range(1000).map(lambda _: batch).to_iter_dataset())
    train(
        network,
        TrainingSettings(**settings | changes),
        TrainingData(batches, 2, validation or (lambda: [batch])),
        folder,
        keep=lambda *_: None,
        devices=DataParallel(jax.devices()[:1]),
        console=Console(quiet=True),
    )
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_training_ends_after_epochs_without_a_better_loss_counted_from_the_best(tmp_path):
    batch, levels = draw_batch(4), iter([10.0, 5.0, 7.0, 6.0, 4.0, 8.0, 8.0, 8.0, 8.0])
    lines = train_on(
        tmp_path,
        batch,
        lambda: [batch | {"density": np.full((4, 16, 16), next(levels), np.float32)}],
        bias=-6.0,  # low saliency: the loss then grows with the density
        epochs=50,
        patience=3,
    )
    losses = [line["validation_loss"] for line in lines]
    assert len(lines) == 8  # the fifth is the best; three more bring nothing
    assert min(losses) == losses[4]
