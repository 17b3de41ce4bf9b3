"""The benchmark of the input pipeline: both of its loaders read the same, and its table is written."""

import re

import numpy as np
import pytest

from benchmarks import input_pipeline, report
from benchmarks.reference.raw_clips import RawClips
from data_pipelines import open_clips


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return input_pipeline.make_films(tmp_path_factory.mktemp("films"), (48, 36), num_films=2, num_frames=20)


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


def test_batches_of_both_sides_have_the_same_shapes(films):
    shard_batches = input_pipeline.shard_batches(films, num_workers=0)
    ours, theirs = next(shard_batches), next(input_pipeline.plain_batches(films))
    assert {key: ours[key].shape for key in theirs} == {key: value.shape for key, value in theirs.items()}
    shard_batches.close()


def test_the_table_is_written_and_its_ratio_is_of_its_rates(films, tmp_path, monkeypatch):
    one_core = input_pipeline.comparisons()[0]
    monkeypatch.setattr(input_pipeline, "comparisons", lambda: [one_core])
    monkeypatch.setattr(input_pipeline, "make_films", lambda *_: films)
    text = input_pipeline.run(tmp_path, frame_sizes=[films.frame_size], rounds=1, seconds=0.01)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.startswith("# Benchmarks\n") and page.endswith(f"\n## Input pipeline\n\n{text}\n")
    raw, shards, ratio = re.search(r"\| 48x36, one core.* \| ([\d.]+) \| (\d+) \| \*\*(\d+)\*\*", page).groups()
    assert float(ratio) == pytest.approx(float(shards) / float(raw), abs=0.6)


def test_a_section_replaces_its_earlier_self_and_no_other(tmp_path):
    page = tmp_path / "docs" / "benchmarks.md"
    for title, text in {"One": "1", "Two": "2", "Three": "3"}.items():
        report.write_section(page, title, text)
    report.write_section(page, "Two", "two\n")
    sections = page.read_text().removeprefix(report.INTRODUCTION)
    assert sections == "\n## One\n\n1\n\n## Two\n\ntwo\n\n## Three\n\n3\n"
