"""Scoring and its settings. The networks' maps are made up here; the tests of the demo train real networks."""

import io
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_raw_data import write_list, write_raw_film
from rich.console import Console

from data_pipelines.prepare import prepare
from data_pipelines.runtime.errors import UserError
from data_pipelines.synthesize import synthesize
from stavis_jax.configs import av
from stavis_jax.experiments import scoring, test_maps
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.settings import check_settings
from stavis_jax.experiments.stages import plan_stages
from stavis_jax.experiments.training import train_stages
from stavis_jax.maps.pictures import saliency_picture
from stavis_jax.scoring.baselines import same_map_predictions


@pytest.fixture
def shards(tmp_path):
    synthesize(tmp_path / "raw", num_train_films=4, num_test_films=2, num_frames=20, frame_size=(64, 48), workers=1)
    prepare(tmp_path / "raw", tmp_path / "shards", size=32, workers=1)
    return tmp_path / "shards"


@pytest.mark.slow
def test_scoring_a_workdir_ends_in_a_report_with_pictures_from_the_shards(shards, tmp_path, monkeypatch):
    def predict(weights, data, films, output, settings, console):
        assert weights == tmp_path / "run" / output.name / "last"
        saliency_map = np.zeros((32, 32), np.uint8)
        saliency_map[8:24, 8:24] = 200 if output.name == "visual" else np.arange(16) * 15
        return same_map_predictions(saliency_map, films, data.split)

    monkeypatch.setattr(scoring, "predict_test_films", predict)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # starting processes would take most of the time
    workdir = tmp_path / "run"
    for variant in ("visual", "l3mul-s3"):
        (workdir / variant / "last").mkdir(parents=True)
    unused = '{"epoch": 12, "sound_effect": 0.0, "active_units": 0.0}'
    (workdir / "l3mul-s3" / "metrics.jsonl").write_text(unused)
    console = Console(file=io.StringIO(), width=200)
    scoring.score_workdir(av.get_config("demo"), ExperimentData(shards), workdir, console)
    assert f"Report: {workdir / 'report.html'}" in console.file.getvalue()
    page = (workdir / "report.html").read_text()
    assert "Held-out films of split 1" in page and "l3mul-s3 minus visual, film by film" in page
    assert page.count('alt="film frame: Synthetic/film_00') == 4  # best and worst of two films
    assert "By CC of l3mul-s3" in page and "not there" not in page
    assert "l3mul-s3: after epoch 12, no hidden unit of the localisation is active" in page
    for name in ("tables.md", "tables.tex"):
        text = (workdir / name).read_text()
        assert "center-bias" in text and "visual" in text and "l3mul-s3" in text


def test_maps_for_the_released_matlab_code_are_jpegs_that_scoring_reads(shards, tmp_path, monkeypatch):
    ramp = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    monkeypatch.setattr(
        test_maps, "predict_batches", lambda _, batches: ((batch, np.stack([ramp] * 8)) for batch in batches)
    )
    data, output = ExperimentData(shards), tmp_path / "maps"
    test_maps.write_test_maps(SimpleNamespace(uses_sound=False), data, output, files="matlab")
    films = data.films("test")
    for film, read in zip(films, test_maps.read_test_maps(output, films, 1), strict=True):
        names = [f"pred_sal_{number:06d}.jpg" for number in range(9, film.num_frames + 8)]
        assert sorted(os.listdir(output / "split1_results" / "synthetic" / film.name)) == names
        np.testing.assert_allclose(read.maps[9], saliency_picture(ramp), atol=4)  # JPEG


def test_the_map_of_a_still_is_that_of_its_only_frame(tmp_path, monkeypatch):
    for number in range(3):
        write_raw_film(tmp_path / "raw", "Own", f"p{number}", 1, sound=False, seed=number)
    write_list(tmp_path / "raw", "Own_list_test_fps.txt", "p1 1 25\np2 1 25\n")
    write_list(tmp_path / "raw", "Own_list_train_fps.txt", "p0 1 25\n")
    data = ExperimentData(prepare(tmp_path / "raw", tmp_path / "shards", size=8, workers=1))
    ramp = np.tile(np.linspace(0, 1, 8, dtype=np.float32), (32, 1))
    monkeypatch.setattr(
        test_maps, "predict_batches", lambda _, batches: ((batch, np.stack([ramp] * 8)) for batch in batches)
    )
    test_maps.write_test_maps(SimpleNamespace(uses_sound=False), data, tmp_path / "maps")
    read = test_maps.read_test_maps(tmp_path / "maps", data.films("test"), 1)
    assert [(video.video, list(video.maps)) for video in read] == [("p1", [1]), ("p2", [1])]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("stages.audiovisual.effective_batch", 3, "--config.stages.audiovisual.effective_batch=3: not a multiple"),
        ("stages.visual.epochs", 0, "--config.stages.visual.epochs=0: give 1 or more"),
    ],
)
def test_a_wrong_setting_of_any_stage_shows_before_anything_is_trained(shards, tmp_path, setting, value, message):
    config = av.get_config("demo")
    config.update_from_flattened_dict({setting: value})
    with pytest.raises(UserError, match=message):
        train_stages(config, ExperimentData(shards), tmp_path / "run", Console(quiet=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("evaluation.weights", "first", "--config.evaluation.weights=first: choose from last, best"),
        ("evaluation.batch_size", -1, "--config.evaluation.batch_size=-1: give 0 or more"),
        ("evaluation.dtype", "float16", "--config.evaluation.dtype=float16: choose from auto, float32, bfloat16"),
        ("evaluation.maps", "gif", "--config.evaluation.maps=gif: choose from png, matlab"),
        ("data.workers", -1, "--config.data.workers=-1: give 0 or more"),
        ("on_nan", "hope", "--config.on_nan=hope: choose from stop, skip"),
        ("data.placement", "moon", "--config.data.placement=moon: choose from host, device"),
        ("compute.dtype", "float16", "--config.compute.dtype=float16: choose from"),
        ("model.depth", 7, "--config.model: "),
    ],
)
def test_a_wrong_setting_shows_before_data_are_made(setting, value, message):
    config = av.get_config("demo")
    config.update_from_flattened_dict({setting: value})
    with pytest.raises(UserError, match=message):
        check_settings(config)


@pytest.mark.parametrize(
    ("section", "check"),
    [("evaluation", check_settings), ("compute", check_settings), ("stages.visual", lambda c: plan_stages(c, Path()))],
)
def test_an_unknown_setting_of_a_recipe_is_one_line(section, check):
    config = av.get_config("demo")
    with config.unlocked():
        config.update_from_flattened_dict({f"{section}.new": 1})
    with pytest.raises(UserError, match=f"--config.{section}.new: is not a setting. Remove it"):
        check(config)


def test_a_missing_setting_of_a_recipe_is_one_line():
    config = av.get_config("demo")
    with config.unlocked():
        del config.stages.visual.batch_size
    with pytest.raises(UserError, match=r"--config.stages.visual.batch_size: is missing. Add it"):
        plan_stages(config, Path())
