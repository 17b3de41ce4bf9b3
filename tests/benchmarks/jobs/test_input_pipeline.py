"""The benchmark of the input pipeline: both of its loaders read the same, and its table is written."""

import dataclasses
import re

import jax
import numpy as np
import pytest

from benchmarks.films import make_films
from benchmarks.jobs import input_pipeline
from benchmarks.plan import QUICK
from benchmarks.reference.raw_clips import RawClips
from benchmarks.session import Session
from data_pipelines import open_clips
from stavis_jax.training.batches.network_inputs import network_inputs


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return make_films(tmp_path_factory.mktemp("films"), (48, 36), num_films=2, num_frames=20)


@pytest.fixture
def arguments(films, monkeypatch):
    """Those of both sides, in this process: it stays on all cores."""
    monkeypatch.setattr(input_pipeline, "_stay_on_one_core", lambda num_workers: None)
    return {"raw": str(films.raw), "shards": str(films.shards), "data_loader": False, "num_workers": 0}


@pytest.mark.parametrize("mirrored", [False, True])
def test_both_loaders_read_equal_clips(films, mirrored):
    ours, theirs = open_clips(films.shards), RawClips(films.raw, "Synthetic")
    frames = np.arange(3, 19)
    film = ours.films[ours.film_index(0)]
    expected = ours.read(0, frames)
    found = theirs.read(film.name, film.fps, frames, mirrored=mirrored)
    for key, width_axis in {"clip": 2, "density": 1, "fixations": 1}.items():
        np.testing.assert_array_equal(found[key], np.flip(expected[key], width_axis) if mirrored else expected[key])
    np.testing.assert_allclose(found["waveform"], expected["waveform"], rtol=0, atol=1e-5)  # of 256: float32 rounding


def test_batches_of_both_sides_have_the_same_shapes(arguments):
    theirs, ours = (side(**arguments)() for side in (input_pipeline.theirs, input_pipeline.ours))
    ours = jax.device_get(network_inputs(ours))
    assert {key: ours[key].shape for key in theirs} == {key: value.shape for key, value in theirs.items()}


@pytest.mark.slow
def test_the_table_is_that_of_the_rates(films, arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(input_pipeline, "WAYS", input_pipeline.WAYS[:1])
    monkeypatch.setattr("benchmarks.films.make_films", lambda *_: films)
    plan = dataclasses.replace(QUICK, loader_seconds=0.01)
    ((title, text),) = input_pipeline.measure(Session(plan, tmp_path)).items()
    assert title == "Input pipeline"
    raw, shards, ratio = re.search(r"\| 160x120, one core.* \| ([\d.]+) \| (\d+) \| \*\*(\d+)\*\*", text).groups()
    lowest, highest = ((float(shards) - end) / (float(raw) + end * last_digit(raw)) for end in (0.5, -0.5))
    assert lowest - 0.5 <= float(ratio) <= highest + 0.5


def last_digit(number: str) -> float:
    """Returns the value of one step of the last digit that is written."""
    return 10.0 ** -len(number.partition(".")[2])
