"""What --mode=evaluate ends in. The networks' maps are made up here; tests of the demo train real ones."""

import io
import os

import numpy as np
import pytest
from rich.console import Console

from data_pipelines.prepare import prepare
from data_pipelines.synthesize import synthesize
from stavis_jax import recipes
from stavis_jax.job import Data, Job
from stavis_jax.metrics.baselines import same_map_predictions


@pytest.fixture
def shards(tmp_path):
    synthesize(tmp_path / "raw", num_train_films=4, num_test_films=2, num_frames=20, frame_size=(64, 48), workers=1)
    prepare(tmp_path / "raw", tmp_path / "shards", size=32, workers=1)
    return tmp_path / "shards"


def test_scoring_a_workdir_ends_in_a_report_with_pictures_from_the_shards(shards, tmp_path, monkeypatch):
    def predict(job, variant, films):
        saliency_map = np.zeros((32, 32), np.uint8)
        saliency_map[8:24, 8:24] = 200 if variant == "visual" else np.arange(16) * 15
        return same_map_predictions(saliency_map, films, job.data.split)

    monkeypatch.setattr(Job, "_predict", predict)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # starting processes would take most of the time
    workdir = tmp_path / "run"
    for variant in ("visual", "l3mul-s3"):
        (workdir / variant / "last").mkdir(parents=True)
    console = Console(file=io.StringIO(), width=200)
    Job(recipes.config("l3mul-s3", "demo"), workdir, Data(shards, None, None, 1), console).evaluate()
    assert f"Report: {workdir / 'report.html'}" in console.file.getvalue()
    page = (workdir / "report.html").read_text()
    assert "Held-out films of split 1" in page and "l3mul-s3 minus visual, film by film" in page
    assert page.count('alt="film frame: Synthetic/film_00') == 4  # best and worst of two films
    assert "By CC of l3mul-s3" in page and "not there" not in page
    for name in ("tables.md", "tables.tex"):
        text = (workdir / name).read_text()
        assert "center-bias" in text and "visual" in text and "l3mul-s3" in text
