"""With on_nan=skip, a training leaves out the batch of a step that is not finite, once, and goes on."""

import json
from pathlib import Path

import grain
import jax
import numpy as np
import pytest
from flax import nnx
from rich.console import Console
from small_training import RATES, SmallNetwork, log_of
from test_several_hosts import assert_close, ends, outcome, start_two

from data_pipelines.runtime.errors import UserError
from stavis_jax.training import loop
from stavis_jax.training.batches.training_data import TrainingData
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.divergence import batch_of_step, batches_to_drop
from stavis_jax.training.journal import SPEED
from stavis_jax.training.settings import TrainingSettings

FILMS = [f"film_{number}" for number in range(100)]
STEPS = 9


@pytest.fixture(autouse=True)
def promotion_as_users_have_it():
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        yield


def batch(number: int, is_spoiled: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    return {
        "clip": rng.normal(0, 50, (2, 4, 16, 16, 3)).astype(np.float32),
        "waveform": np.zeros((2, 16), np.float32),
        "density": rng.uniform(0, 255, (2, 16, 16)).astype(np.float32),
        "fixations": (rng.random((2, 16, 16)) < 0.1).astype(np.float32),
        "weight": np.full(2, np.nan if is_spoiled else 1, np.float32),
        "film": np.array([number, number], np.int32),
    }


def train(directory: Path, numbers=range(30), spoiled=(), fault_at: int | None = None, **changes) -> list:
    """Trains three epochs of three steps on batches of these numbers. Returns the last network's arrays.

    Batches in `spoiled` are not finite. The process ends at batch `fault_at`.
    """

    def read(position: int) -> dict[str, np.ndarray]:
        if numbers[position] == fault_at:
            raise KeyboardInterrupt
        return batch(numbers[position], numbers[position] in spoiled)

    kept = {}
    chain = grain.MapDataset.range(len(numbers)).map(read).to_iter_dataset(grain.ReadOptions(0, 0))
    loop.train(
        SmallNetwork(rngs=nnx.Rngs(0)),
        TrainingSettings(**{"save_every_steps": 2, "on_nan": "skip"} | changes, **RECIPE),
        TrainingData(iter(chain), 3, lambda: [batch(50)], films=FILMS),
        directory,
        keep=lambda network, name: kept.update({name: jax.tree.leaves(nnx.state(network))}),
        devices=DataParallel(jax.devices()[:1]),
        console=Console(quiet=True),
    )
    return kept["last"]


RECIPE = {"epochs": 3, "batch_size": 2, "effective_batch": 2, "learning_rate": 1e-3, "group_rates": RATES}


def journal(directory: Path) -> list[dict]:
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]  # once each
    return [{name: line[name] for name in line.keys() - set(SPEED)} for line in lines]


def without(*numbers: int) -> list[int]:
    return [number for number in range(30) if number not in numbers]


def assert_like_a_training_without(left_out: tuple[int, ...], trained: list, directory: Path) -> None:
    """Checks equality to the bit with a training that never saw these batches."""
    expected = train(directory.parent / "expected", without(*left_out))
    assert journal(directory) == journal(directory.parent / "expected")
    for ours, theirs in zip(trained, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.endswith("divergence")]


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 9])
def test_the_batch_is_left_out_and_named(step, tmp_path, caplog):
    """Whether the loss is read with the next step, before saving, or at the end of an epoch."""
    bad = step - 1
    trained = train(tmp_path / "run", spoiled=[bad])
    saved = max(checkpoint for checkpoint in (0, 2, 3, 4, 6, 8) if checkpoint < step)
    (line,) = messages(caplog)
    assert line.startswith("run: the ") and f" is nan at step {step}, on clips of film_{bad}. " in line
    assert line.endswith(f"Going on from step {saved}, without this batch.")
    assert_like_a_training_without((bad,), trained, tmp_path / "run")


@pytest.mark.slow
def test_epochs_after_the_checkpoint_are_run_again_and_written_once(tmp_path):
    trained = train(tmp_path / "run", spoiled=[7], save_every=3, save_every_steps=0)
    assert_like_a_training_without((7,), trained, tmp_path / "run")


@pytest.mark.slow
def test_batches_are_left_out_after_different_checkpoints(tmp_path, caplog):
    trained = train(tmp_path / "run", spoiled=[1, 4, 8], save_every_steps=1)
    assert len(messages(caplog)) == 3 and "at step 7, on clips of film_8" in messages(caplog)[-1]
    assert_like_a_training_without((1, 4, 8), trained, tmp_path / "run")


@pytest.mark.slow
def test_a_second_batch_before_the_next_checkpoint_stops_in_one_line(tmp_path):
    with pytest.raises(UserError) as stopped:
        train(tmp_path / "run", spoiled=[4, 5])
    line = str(stopped.value)
    assert (
        " at step 5, on clips of film_5. A batch was already left out after the checkpoint of step 4" in line
        and "\n" not in line
    )
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["3", "4"]


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [5, 6, 7, 9])
def test_a_kill_after_a_batch_was_left_out_changes_nothing(killed_at, tmp_path):
    """Before the next checkpoint, at step 6, and after it."""
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", spoiled=[4], fault_at=killed_at)
    trained = train(tmp_path / "run", spoiled=[4])
    assert_like_a_training_without((4,), trained, tmp_path / "run")


@pytest.mark.slow
def test_checkpoints_hold_what_was_left_out(tmp_path):
    train(tmp_path / "run", spoiled=[4])
    progress = json.loads((tmp_path / "run" / "checkpoints" / "9" / "progress" / "metadata").read_text())
    assert progress["skipped"] == [4]


@pytest.mark.slow
def test_a_run_that_stopped_goes_on_once_it_may_skip(tmp_path):
    with pytest.raises(UserError, match="at step 5, on clips of film_4. Lower the learning rate"):
        train(tmp_path / "run", spoiled=[4], on_nan="stop")
    trained = train(tmp_path / "run", spoiled=[4])
    assert_like_a_training_without((4,), trained, tmp_path / "run")


def test_steps_use_the_batches_that_are_left():
    skipped = [0, 3, 4, 7]
    used = [batch_of_step(step, skipped) for step in range(1, 7)]
    assert used == [1, 2, 5, 6, 8, 9]
    assert [batches_to_drop(step, skipped) for step in range(6)] == [1, 0, 2, 0, 1, 0]
    assert [batches_to_drop(step, []) for step in range(3)] == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.start_first
def test_two_processes_leave_out_a_batch_that_only_one_of_them_reads(start_small, tmp_path):
    settings = {"batch_size": 8, "effective_batch": 8, "epochs": 3, "save_every_steps": 2, "on_nan": "skip"}
    one, two = tmp_path / "one", tmp_path / "two"
    ends([start_small(one, devices=4, spoiled=[4], **settings)], one)
    said = ends(start_two(start_small, two, spoiled=[4], **settings), two)
    lines = [[line for line in text.splitlines() if "without this batch" in line] for text in said]
    assert [len(found) for found in lines] == [1, 0]
    (alone,) = [line for line in log_of(one).read_text().splitlines() if "without this batch" in line]
    assert lines[0][0].replace("two:", "one:") == alone  # with the films of both
    assert_close(outcome(two), outcome(one))
