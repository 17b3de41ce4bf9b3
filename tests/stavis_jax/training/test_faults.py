"""Faults in a training: a loss that is not finite, a damaged checkpoint, a signal during validation.

Each ends in one line, and the training can go on.
"""

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import grain
import jax
import numpy as np
import pytest
from flax import nnx
from rich.console import Console
from small_training import RATES, SmallNetwork, log_of

from data_pipelines.runtime.errors import Stopped, UserError
from stavis_jax.training import loop
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.journal import SPEED
from stavis_jax.training.losses import LossWeights
from stavis_jax.training.settings import TrainingSettings

FILMS = [f"Synthetic/film_{number}" for number in range(12)]
TIMEOUT_S = 120


@pytest.fixture(autouse=True)
def promotion_as_users_have_it():
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        yield


def train(
    directory: Path,
    spoiled: int | None,
    kept: list | None = None,
    validation=lambda batch: [batch],
    read=lambda batches: batches,
    keep=None,
    **changes,
) -> None:
    """Trains three epochs of three steps. The batch of step `spoiled` has an infinite pixel in the clip of film 7."""

    def make(seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        clip = rng.normal(0, 50, (2, 4, 16, 16, 3)).astype(np.float32)
        if seed == spoiled:
            clip[1, 0, 3, 4] = np.inf
        return {
            "clip": clip,
            "waveform": np.zeros((2, 16), np.float32),
            "density": rng.uniform(0, 255, (2, 16, 16)).astype(np.float32),
            "fixations": (rng.random((2, 16, 16)) < 0.1).astype(np.float32),
            "weight": np.ones(2, np.float32),
            "film": np.array([3, 7] if seed == 5 else [0, 1], np.int32),
        }

    batches = read(iter(grain.MapDataset.range(1, 100).map(make).to_iter_dataset()))
    data = {"steps_per_epoch": 3, "films": FILMS} | changes
    loop.train(
        SmallNetwork(rngs=nnx.Rngs(0)),
        TrainingSettings(3, 2, 2, 1e-3, RATES, save_every_steps=2),
        loop.TrainingData(batches, validation=lambda: validation(make(50)), **data),
        directory,
        keep=keep or (lambda network, name: kept.append((name, nnx.state(network))) if kept is not None else None),
        devices=DataParallel(jax.devices()[:1]),
        console=Console(quiet=True),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, list]:
    """Returns the folder of a training without a fault, and what it kept."""
    directory, kept = tmp_path_factory.mktemp("whole") / "whole", []
    with jax.numpy_dtype_promotion("standard"):
        train(directory, None, kept)
    return directory, kept


def assert_ends_like(whole: tuple[Path, list], directory: Path) -> None:
    """Resumes a training, and checks that its journal and last network equal those of `whole` bit for bit."""
    ended: list = []
    train(directory, None, ended)
    assert journal(directory) == journal(whole[0])
    assert ended[-1][0] == whole[1][-1][0] == "last"
    for ours, theirs in zip(jax.tree.leaves(ended[-1][1]), jax.tree.leaves(whole[1][-1][1]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def checkpoints(directory: Path) -> set[int]:
    return {int(path.name) for path in (directory / "checkpoints").iterdir() if path.name.isdigit()}


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_step_and_films_and_leaves_a_checkpoint_from_before(whole, tmp_path):
    with pytest.raises(UserError) as stopped:
        train(tmp_path / "run", spoiled=5)
    message = str(stopped.value)
    assert "at step 5, on clips of Synthetic/film_3, Synthetic/film_7." in message
    assert "is nan" in message or "is inf" in message
    assert "\n" not in message
    assert max(checkpoints(tmp_path / "run")) == 4
    assert_ends_like(whole, tmp_path / "run")
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("\n") == 3


@pytest.mark.slow
def test_a_fault_in_the_first_step_leaves_the_start_to_go_on_from(tmp_path):
    with pytest.raises(UserError, match="at step 1, on clips of Synthetic/film_0, Synthetic/film_1"):
        train(tmp_path, spoiled=1)
    assert checkpoints(tmp_path) == {0}


def test_a_state_whose_validation_loss_is_not_finite_is_not_saved(tmp_path):
    """A checkpoint is due after step 6, the last one of the second epoch."""
    passes = []

    def validation(batch):
        passes.append(1)
        return [batch | {"density": batch["density"] * (np.nan if len(passes) == 2 else 1)}]

    with pytest.raises(UserError, match="run: the validation_loss is nan after epoch 2"):
        train(tmp_path / "run", None, validation=validation)
    assert max(checkpoints(tmp_path / "run")) == 4


def test_the_progress_on_disk_keeps_its_names(tmp_path):
    """Trainings that an earlier version began go on."""
    train(tmp_path, None)
    progress = json.loads((tmp_path / "checkpoints" / "9" / "progress" / "metadata").read_text())
    assert progress.keys() == {"epoch", "best_loss", "best_epoch", "losses", "data"} | {"skipped", "batch_norm_shares"}
    assert progress["data"] == {"steps_per_epoch": 3, "digest": ""}


@pytest.mark.slow
@pytest.mark.parametrize(("epoch", "number"), [(2, 0), (3, 0), (3, 1)])
def test_a_signal_while_validating_stops_there_and_loses_no_step(epoch, number, whole, tmp_path):
    """This holds in the last epoch too, after all steps. The signal arrives before batch `number` of two."""
    passes = []

    def interrupted(batch):
        passes.append(1)
        for i in range(2):
            if (len(passes), i) == (epoch, number):
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    with pytest.raises(Stopped, match=f"run: saved at step {3 * epoch}"):
        train(tmp_path / "run", None, validation=interrupted)
    assert len(passes) == epoch
    assert_ends_like(whole, tmp_path / "run")


class KilledReader(grain.DatasetIterator):
    """Reads four batches. At the fifth, SIGTERM arrives, and the reading processes have ended before."""

    def __init__(self, batches: grain.DatasetIterator):
        super().__init__()
        self._batches, self._count = batches, 0

    def get_state(self):
        return self._batches.get_state()

    def set_state(self, state):
        self._batches.set_state(state)

    def __next__(self):
        self._count += 1
        if self._count == 5:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            raise UserError("a process that reads batches was killed.")
        return next(self._batches)


@pytest.mark.slow
def test_a_signal_that_kills_the_readers_first_loses_no_step(whole, tmp_path):
    with pytest.raises(Stopped, match="run: saved at step 4"):
        train(tmp_path / "run", None, read=KilledReader)
    assert max(checkpoints(tmp_path / "run")) == 4
    assert_ends_like(whole, tmp_path / "run")


def test_a_signal_at_the_very_end_is_answered_after_the_last_weights(tmp_path):
    kept = []

    def keep(_, name):
        kept.append(name)
        if name == "last":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="run: this training is complete"):
        train(tmp_path / "run", None, keep=keep)
    assert kept[-1] == "last"


def test_going_on_with_other_data_is_refused(tmp_path):
    train(tmp_path / "run", None)
    before = checkpoints(tmp_path / "run")
    for other in ({"steps_per_epoch": 4}, {"digest": "other films"}):
        with pytest.raises(UserError, match=r"run: was trained on other data \(3 steps an epoch, now [34]\)"):
            train(tmp_path / "run", None, **other)
    assert checkpoints(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate=-1.0: give 0 or more"),
        ({"weight_decay": float("nan")}, "weight_decay=nan: give 0 or more"),
        ({"group_rates": RATES | {"trunk": -0.1}}, "group_rates.trunk=-0.1: give 0 or more"),
        ({"momentum": 5}, "momentum=5: give 0 or more, and less than 1"),
        ({"frames": 17}, "frames=17: give 1 to 16"),
        ({"average": 1.0}, "average=1.0: give 0 or more, and less than 1"),
        ({"optimizer": "lion"}, "optimizer=lion: choose from sgd, adam"),
        ({"on_nan": "go on"}, "on_nan=go on: choose from stop, skip"),
        ({"schedule": "linear"}, "schedule=linear: choose from steps, cosine"),
        ({"loss_weights": LossWeights(nss=-1.0)}, r"loss_weights\.nss=-1.0: give 0 or more"),
        ({"save_every_steps": -1}, "save_every_steps=-1: give 0 or more"),
        ({"epochs": 0}, "epochs=0: give 1 or more"),
        ({"effective_batch": 3}, "effective_batch=3: not a multiple of batch_size=2"),
    ],
)
def test_a_setting_out_of_range_is_named(wrong, message):
    right = {"epochs": 3, "batch_size": 2, "effective_batch": 2, "learning_rate": 1e-3, "group_rates": RATES}
    with pytest.raises(UserError, match=message):
        TrainingSettings(**right | wrong)


def journal(directory: Path) -> list[dict]:
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in line.keys() - set(SPEED)} for line in lines]


def halve_the_data(checkpoint: Path) -> None:
    for path in (checkpoint / "state").rglob("*"):
        if path.is_file() and path.stat().st_size > 2000:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def halve_everything(checkpoint: Path) -> None:
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_the_position(checkpoint: Path) -> None:
    for path in (checkpoint / "batches").rglob("*"):
        if path.is_file():
            path.unlink()


CHECKPOINTED = {"epochs": 2, "save_every_steps": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Returns the folder of a training that the tests below copy."""
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def copy_of_trained(trained, start_small, tmp_path):
    """Returns a copy of a finished training, and its last weights."""
    if not trained.exists():
        process = start_small(trained, **CHECKPOINTED)
        process.join(TIMEOUT_S)
        assert process.exitcode == 0, log_of(trained).read_text()
    assert checkpoints(trained) == {4, 6}
    with np.load(trained / "last.npz") as file:
        weights = dict(file)
    shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("last.npz"))
    return tmp_path / "run", weights


@pytest.mark.slow
@pytest.mark.parametrize("damage", [halve_the_data, halve_everything, lose_the_position])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(damage, copy_of_trained, start_small):
    directory, expected = copy_of_trained
    damage(directory / "checkpoints" / "6")
    process = start_small(directory, **CHECKPOINTED)
    process.join(TIMEOUT_S)
    said = log_of(directory).read_text().splitlines()
    assert process.exitcode == 0, said
    assert all(line.startswith("warning: ") for line in said), said  # orbax has one of its own for some damages
    (line,) = [line for line in said if ": damaged (" in line]
    assert line.startswith(f"warning: {directory / 'checkpoints' / '6'}: damaged (")
    assert line.endswith("Continuing from step 4 instead.")
    assert (directory / "checkpoints" / "6.damaged").is_dir()  # it may have been the disk
    with np.load(directory / "last.npz") as file:
        for name, array in expected.items():
            np.testing.assert_array_equal(file[name], array, err_msg=name)


@pytest.mark.slow
def test_checkpoints_that_are_all_damaged_are_one_line(copy_of_trained, start_small):
    directory, _ = copy_of_trained
    for step in checkpoints(directory):
        halve_the_data(directory / "checkpoints" / str(step))
    process = start_small(directory, **CHECKPOINTED)
    process.join(TIMEOUT_S)
    assert process.exitcode == 1
    (line,) = log_of(directory).read_text().splitlines()
    assert line.startswith(f"error: {directory / 'checkpoints' / '6'}: cannot continue from this checkpoint")
