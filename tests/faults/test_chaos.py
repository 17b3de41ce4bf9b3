"""A training that is killed, starved, resized and short of disk at drawn moments ends as the undisturbed one."""

import collections
import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chaos_plan import LAYOUTS, Layout, Plan, draw
from chaos_training import ChaosTraining, filled, limited
from disks import disk
from test_kills import assert_same
from test_kills import outcome as exact_outcome
from test_several_hosts import SETTINGS, assert_close, ends, outcome, start_two

SEED, SEED_OF_ONE_LAYOUT = 0, 1
TWO_BY_FOUR = Layout(2, 4)
DISK_KB = 64 * 1024
pytestmark = [pytest.mark.slow, pytest.mark.start_first]


def settings(epochs: int) -> dict:
    """Returns the settings of a training of three steps an epoch. One batch is spoiled."""
    return {"epochs": epochs, "patience": epochs, "keep_checkpoints": 3, "on_nan": "skip", "spoiled": [7]}


LONG, SHORT = settings(24), settings(12)


@dataclasses.dataclass(frozen=True)
class Disturbed:
    """A training that has been disturbed: the folder of its results, what happened, and how long it took."""

    results: Path
    rows: list[list[str]]
    seconds: float


@pytest.fixture
def disturbed(start_small, tmp_path, tally) -> Callable[[Plan, dict], Disturbed]:
    """Returns a function that trains by a plan, on a small disk if one can be mounted."""

    def train(plan: Plan, changes: dict) -> Disturbed:
        for fault, count in collections.Counter(event.fault.value for event in plan.events).items():
            tally.fault("main", fault, count)
        directory, results = tmp_path / "run", tmp_path / "results"
        begin = time.monotonic()
        with disk(directory, DISK_KB) as mounted:
            filling = (lambda _: filled(directory)) if mounted else limited
            training = ChaosTraining(start_small, directory, filling, changes)
            training.run(plan)
            seconds = time.monotonic() - begin
            results.mkdir()
            for name in ("metrics.jsonl", "last.npz"):
                shutil.copy(directory / name, results)
        return Disturbed(results, training.rows, seconds)

    return train


def test_the_plan_has_every_fault_every_layout_and_changes_of_both_numbers():
    plan = draw(SEED, 20)
    assert plan.covers(LAYOUTS) and len(plan.events) == 20
    assert plan == draw(SEED, 20) != draw(SEED + 1, 20)


def test_twenty_faults_and_changes_of_layout_end_in_the_same_weights(disturbed, start_small, tmp_path, tally):
    of = disturbed(draw(SEED, 20), LONG)
    whole = tmp_path / "whole"
    ends([start_small(whole, devices=8, **SETTINGS | LONG)], whole)
    ours, theirs = (outcome(folder, LONG["epochs"]) for folder in (of.results, whole))
    assert_close(ours, theirs)
    largest = max(
        (np.abs(ours[1][name] - array) / np.maximum(1, np.abs(array))).max() for name, array in theirs[1].items()
    )
    compared = f"The weights differ from those of 1 x 8 devices by {largest:.0e} at most, relative to weights above 1"
    tally.chaos(f"All layouts, seed {SEED}", of.rows, f"{compared}. The disturbed training took {of.seconds:.0f} s.")


def test_faults_without_a_change_of_layout_end_in_the_same_bits(disturbed, start_small, tmp_path, tally):
    of = disturbed(draw(SEED_OF_ONE_LAYOUT, 7, [TWO_BY_FOUR]), SHORT)
    whole = tmp_path / "whole"
    ends(start_two(start_small, whole, TWO_BY_FOUR.devices, **SETTINGS | SHORT), whole)
    assert_same(exact_outcome(of.results), exact_outcome(whole))
    compared = "Weights and losses are equal to the bit to those of an undisturbed training in this layout"
    title = f"One layout, seed {SEED_OF_ONE_LAYOUT}"
    tally.chaos(title, of.rows, f"{compared}. The disturbed training took {of.seconds:.0f} s.")
