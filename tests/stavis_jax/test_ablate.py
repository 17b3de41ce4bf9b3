"""The ablation: its trainings, what it skips, its table, and a small one from end to end."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from data_pipelines.runtime.errors import UserError
from stavis_jax.configs import ablation as recipe
from stavis_jax.configs import av
from stavis_jax.experiments import ablation, cost, scoring
from stavis_jax.experiments.ablation import Ablation
from stavis_jax.experiments.ablation_parts import Part, chosen, plan
from stavis_jax.experiments.ablation_scores import collect
from stavis_jax.experiments.data import ExperimentData
from stavis_jax.experiments.workdir import write_settings
from stavis_jax.models.fusion import VARIANTS
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.reports.results_files import write_results
from stavis_jax.scoring.aggregation import VideoScores, aggregate, film_scores
from stavis_jax.scoring.baselines import same_map_predictions
from stavis_jax.scoring.comparison import ALL_FILMS, compare
from stavis_jax.scoring.frame_scores import ALL_METRICS
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import new_network, read_network
from stavis_jax.weights.loading import load_weights

QUIET = Console(quiet=True)


def test_the_recipe_lists_every_system_with_the_visual_one_first():
    paper, demo = recipe.get_config(), recipe.get_config("demo")
    parts = plan(paper.ablation.variants, paper.ablation.splits)
    assert parts == [Part(split, variant) for split in (1, 2, 3) for variant in VARIANTS]
    assert paper.stages.to_dict() == av.get_config().stages.to_dict()
    assert set(demo.keys()) - set(paper.keys()) == {"demo"}


def test_every_split_has_its_own_visual_training_before_those_with_sound():
    assert [part.name for part in plan("l2-s1,l1-s1", "1,3")] == [
        "split1/visual", "split1/l2-s1", "split1/l1-s1", "split3/visual", "split3/l2-s1", "split3/l1-s1",
    ]  # fmt: skip


@pytest.mark.parametrize("variants", ["l2-s1,l1-s1", "l2-s1 l1-s1", ["l2-s1", "l1-s1"], ["l2-s1, l1-s1", "l2-s1"]])
def test_lists_are_separated_by_commas_spaces_or_repeated_flags(variants):
    assert plan(variants, "1, 3") == plan("l2-s1,l1-s1", ["1", "3"])


def test_shares_are_all_the_trainings_with_sound_each_once():
    parts = plan(",".join(VARIANTS), "1,2,3")
    shares = [chosen(parts, f"{i}/5") for i in range(1, 6)]
    found = [part for share in shares for part in share]
    assert len(found) == len(set(found)) == 36
    assert set(found) == {part for part in parts if not part.is_visual}
    assert {len(share) for share in shares} == {7, 8}
    assert chosen(parts, "40/40") == []


def test_one_system_is_chosen_by_name_on_every_split():
    parts = plan("l1-s1,l2-s1", "1,2")
    assert chosen(parts, "visual") == [Part(1, "visual"), Part(2, "visual")]
    assert chosen(parts, "l2-s1") == [Part(1, "l2-s1"), Part(2, "l2-s1")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: plan("l1-s1,l9", "1"), "--variants: 'l9' is not one of visual, l1-audio-only, .*, l3mul-fus"),
        (lambda: plan("l1-s1", "1,4"), "--splits: '4' is not one of 1, 2, 3"),
        (lambda: plan("", "1"), "--variants: is empty"),
        (lambda: plan(["l1-s1"], [""]), "--splits: is empty"),
        (lambda: chosen(plan("l1-s1", "1"), "3/2"), "--only=3/2: give I/N with I from 1 to N"),
        (lambda: chosen(plan("l1-s1", "1"), "0/2"), "--only=0/2: give I/N"),
        (lambda: chosen(plan("l1-s1", "1"), "l2-s1"), "--only=l2-s1: neither I/N nor one of visual, l1-s1"),
    ],
)
def test_wrong_names_and_numbers_are_told_with_the_right_ones(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/ablation.py"], "--config.data.path: missing"),
        (["--config=configs/av.py:demo"], "not a recipe for an ablation"),
        (["--config=configs/ablation.py:demo", "--config.model.variant=l1-s1"], "has no setting 'variant'"),
        (["--config=ablation:demo", "--variants", "l1-s1", "l9", "--splits", "1"], "--variants: 'l9' is not one of"),
        (["--config=ablation:demo", "--splits=1", "--splits=4"], "--splits: '4' is not one of 1, 2, 3"),
        (["--config=ablation:demo", "--variants="], "--variants: is empty"),
        (["--config=configs/ablation.py:demo", "--mode=table", "--only=1/2"], "--only: --mode=table covers all parts"),
    ],
)
def test_a_wrong_command_is_one_line_and_leaves_nothing(commands, arguments, message, tmp_path):
    ended = commands.run("stavis_jax.ablate", *arguments, f"--workdir={tmp_path / 'run'}")
    assert ended.code > 0 and not ended.timed_out
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_part_knows_its_own_stage_and_where_it_starts(tmp_path):
    config = recipe.get_config("demo")
    config.init.kinetics, config.init.soundnet = "kinetics.pth", "soundnet.pth"
    visual = Part(2, "visual").config(config, tmp_path)
    assert (visual.model.variant, visual.data.split, list(visual.stages)) == ("visual", 2, ["visual"])
    assert visual.init.to_dict() == {"kinetics": "kinetics.pth", "soundnet": "", "visual": ""}
    with_sound = Part(2, "l1-s2").config(config, tmp_path)
    assert (with_sound.model.variant, list(with_sound.stages)) == ("l1-s2", ["audiovisual"])
    last = tmp_path / "split2" / "visual" / "visual" / "last"
    assert with_sound.init.to_dict() == {"kinetics": "", "soundnet": "soundnet.pth", "visual": str(last)}


@pytest.fixture
def done(monkeypatch, tmp_path):
    """Records the parts that an ablation does, in order, without doing them. Parts named in `fail` fail."""
    parts = []

    def do(self, part, data, loaded):
        parts.append((part.name, data.split))
        if part.variant in done.fail:
            raise UserError("loss: is nan.")

    done = type("Done", (), {"parts": parts, "fail": ()})
    monkeypatch.setattr(Ablation, "_do", do)
    monkeypatch.setattr(Ablation, "_prepare", lambda self, todo: (ExperimentData(tmp_path), {}))
    return done


def make_trained(workdir: Path, part: Part, *, scored_with: str | None = None, config=None) -> None:
    part.weights(workdir).mkdir(parents=True)
    write_settings(part.config(config or recipe.get_config("demo"), workdir), part.folder(workdir))
    if scored_with:
        (part.folder(workdir) / "scored.json").write_text(json.dumps({"weights": scored_with, "cost": None}))


def run(workdir: Path, *, mode: str = "train_and_evaluate", config=None, variants: str = "l1-s1,l2-s1", only: str = ""):
    parts = plan(variants, "1")
    return Ablation(config or recipe.get_config("demo"), workdir, mode, QUIET).run(
        chosen(parts, only) if only else parts
    )


def test_what_is_trained_and_scored_is_left_alone(done, tmp_path):
    make_trained(tmp_path, Part(1, "visual"), scored_with="last")
    make_trained(tmp_path, Part(1, "l1-s1"))
    run(tmp_path)
    assert done.parts == [("split1/l1-s1", 1), ("split1/l2-s1", 1)]
    done.parts.clear()
    run(tmp_path, mode="train")
    assert done.parts == [("split1/l2-s1", 1)]


def test_scoring_alone_leaves_out_what_is_not_trained_and_other_weights_are_scored_anew(done, tmp_path):
    make_trained(tmp_path, Part(1, "visual"), scored_with="last")
    run(tmp_path, mode="evaluate")
    assert done.parts == []
    config = recipe.get_config("demo")
    config.evaluation.weights = "best"
    run(tmp_path, mode="evaluate", config=config)
    assert done.parts == [("split1/visual", 1)]


def test_a_system_with_sound_waits_for_its_visual_network(done, tmp_path):
    with pytest.raises(UserError, match="split1/visual/visual/last: missing, and split1/l1-s1 starts from it"):
        run(tmp_path, only="1/2")
    make_trained(tmp_path, Part(1, "visual"))
    run(tmp_path, only="2/2")
    assert done.parts == [("split1/l2-s1", 1)]


def test_what_was_done_with_other_settings_is_refused_but_the_other_stages_may_change(done, tmp_path):
    make_trained(tmp_path, Part(1, "visual"), scored_with="last")
    config = recipe.get_config("demo")
    config.stages.audiovisual.epochs = 3
    run(tmp_path, config=config)
    assert len(done.parts) == 2
    config.stages.visual.epochs = 3
    with pytest.raises(UserError, match="was trained with --config.stages.visual.epochs=7, now it is 3"):
        run(tmp_path, config=config)


def test_a_batch_that_does_not_split_over_the_devices_is_told_before_the_first_training(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "find_data", lambda config, workdir, console: ExperimentData(tmp_path))
    monkeypatch.setattr(ExperimentData, "check", lambda self: None)
    monkeypatch.setattr(Ablation, "_do", lambda self, part, data, loaded: pytest.fail("it trains"))
    config = recipe.get_config()
    config.stages.audiovisual.update({"batch_size": 6, "effective_batch": 6})
    with pytest.raises(UserError, match="stages.audiovisual.batch_size=6: does not split evenly over 8 devices"):
        run(tmp_path, mode="train", config=config)


def test_one_that_fails_does_not_keep_the_others_but_a_failed_start_does(done, tmp_path):
    done.fail = ("l1-s1",)
    assert list(run(tmp_path)) == ["split1/l1-s1"]
    assert done.parts[-1] == ("split1/l2-s1", 1)
    done.fail = ("visual",)
    with pytest.raises(UserError, match="loss: is nan"):
        run(tmp_path)


def made_up(seed: int, gain: float, split: int = 1) -> list[VideoScores]:
    rng = np.random.default_rng([seed, split])
    frames = np.arange(9, 15)
    videos = []
    for number in range(6):
        values = {metric: rng.uniform(0.3, 0.5, frames.size) + gain for metric in ALL_METRICS}
        values["IG"][2] = np.nan
        videos.append(VideoScores("Synthetic", split, f"film_{6 * split + number}", frames, values))
    return videos


COST = {"parameters": 12_345_678, "gflops": 3.14159, "clips_per_second": 20.5, "batch_size": 8, "device": "cpu"}


@pytest.fixture
def scored(tmp_path):
    """Returns a working directory with scores of visual, l1-s1, l2-s1 on split 1, and of visual, l2-s1 on split 2."""
    first = ((1, "visual", 0.1), (1, "l1-s1", 0.3), (1, "l2-s1", 0.1))
    for split, name, gain in (*first, (2, "visual", 0.1), (2, "l2-s1", 0.2)):
        part, seed = Part(split, name), list(VARIANTS).index(name)
        make_trained(tmp_path, part)
        methods = {"center-bias": made_up(99, 0, split), name: made_up(seed, gain, split)}
        write_results(part.folder(tmp_path), {name: aggregate(videos) for name, videos in methods.items()})
        parameters = COST["parameters"] + seed
        content = {"weights": "last", "cost": COST | {"parameters": parameters}}
        (part.folder(tmp_path) / "scored.json").write_text(json.dumps(content))
    return tmp_path


def test_the_table_is_over_what_is_there_with_gains_over_visual_on_the_same_films(scored):
    console = Console(file=io.StringIO(), width=100)
    systems = collect(scored, plan("l1-s1,l2-s1", "1,2"), console)
    assert list(systems) == ["center-bias", "visual", "l1-s1", "l2-s1"]
    content = json.loads((scored / "ablation.json").read_text())
    assert content["missing"] == ["split2/l1-s1"]
    assert [system["splits"] for system in content["systems"].values()] == [[1, 2], [1, 2], [1], [1, 2]]
    videos = {name: made_up(list(VARIANTS).index(name), gain) for name, gain in (("visual", 0.1), ("l1-s1", 0.3))}
    assert content["methods"]["l1-s1"]["CC"] == pytest.approx(aggregate(videos["l1-s1"]).overall["CC"], abs=1e-12)
    expected = compare(film_scores(videos["l1-s1"]), film_scores(videos["visual"])).differences
    found = content["systems"]["l1-s1"]["minus_visual"]
    assert [row["mean"] for row in found] == pytest.approx([row.mean for row in expected], abs=1e-12)
    assert {row["films"] for row in found} == {6}
    assert {row["films"] for row in content["systems"]["l2-s1"]["minus_visual"]} == {12}
    assert content["systems"]["visual"]["minus_visual"] == [] and content["systems"]["center-bias"]["cost"] is None
    text = console.file.getvalue()
    assert "l1-s1" in text and "6/0" in text and "Missing: split2/l1-s1" in text and "12.35" in text


def test_the_files_hold_the_same_numbers(scored):
    collect(scored, plan("l1-s1,l2-s1", "1,2"), QUIET)
    content = json.loads((scored / "ablation.json").read_text())
    lines = list(csv.DictReader((scored / "ablation.csv").read_text().splitlines()))
    line = next(line for line in lines if (line["system"], line["metric"]) == ("l1-s1", "NSS"))
    gain = next(row for row in content["systems"]["l1-s1"]["minus_visual"] if row["metric"] == "NSS")
    assert float(line["value"]) == content["databases"]["Synthetic"]["l1-s1"]["NSS"]
    assert (float(line["minus_visual_mean"]), int(line["minus_visual_better"])) == (gain["mean"], gain["better"])
    assert int(line["parameters"]) == content["systems"]["l1-s1"]["cost"]["parameters"]
    markdown = (scored / "ablation.md").read_text()
    (row,) = [line for line in markdown.splitlines() if line.startswith("| l1-s1 | ") and line.endswith("| 20.5 |")]
    best = content["methods"]["l1-s1"]["CC"]
    assert row.startswith(f"| l1-s1 | **{best:.4f}** (") and row.endswith("| 12.35 | 3.14 | 20.5 |")
    assert "IG ↑ | parameters, M | GFLOPs | clips/s |" in markdown
    gain = next(row for row in content["systems"]["l1-s1"]["minus_visual"] if row["metric"] == "CC")
    assert f"| l1-s1 | **{gain['mean']:.4f}** ({gain['low']:.4f} to {gain['high']:.4f}) 6/0, p 0.031 |" in markdown
    latex = (scored / "ablation.tex").read_text()
    assert r"IG $\uparrow$ & parameters, M & GFLOPs & clips/s \\" in latex and rf"\textbf{{{best:.4f}}} (" in latex
    assert "l1-s1 minus visual" not in (scored / "report.html").read_text()
    assert "l2-s1 minus visual, film by film" in (scored / "report.html").read_text()


def test_nothing_scored_is_one_line(tmp_path):
    with pytest.raises(UserError, match="holds no scores of these variants and splits"):
        collect(tmp_path, plan("l1-s1", "1"), QUIET)


@pytest.mark.slow
def test_what_a_system_does_not_use_costs_nothing():
    configs = {name: NetworkConfig(name, 10) for name in ("visual", "l1-audio-only", "l1-s1", "l3mul-s3")}
    work = {name: cost.gflops_of_clip(config, 32) for name, config in configs.items()}
    learn = {name: cost.learning_parameters(config) for name, config in configs.items()}
    assert work["l1-audio-only"] < work["l1-s1"] < work["l3mul-s3"]  # without layer3
    assert work["visual"] < work["l1-s1"]
    assert learn["l1-audio-only"] < learn["l1-s1"] < learn["l3mul-s3"]
    # One map and a bilinear form: 63 forms of 128 x 128 and biases fewer, two weights in place of 128 and S_v's own 65.
    assert learn["l3mul-s3"] - learn["l1-s1"] == 64 * (128 * 128 + 1) + (64 + 64 + 1) - (2 + 1) - (64 + 1)


@pytest.mark.slow
def test_a_system_is_trained_from_its_visual_network_and_a_second_call_does_nothing(tmp_path, monkeypatch):
    """The visual network's arrays and the scored maps are made up, since compiling takes nearly all of the time."""

    def predict(weights, data, films, output, settings, console):
        saliency_map = np.add.outer(np.arange(32), np.arange(32)) * (1 if output.name == "visual" else 2)
        return same_map_predictions(saliency_map.astype(np.uint8), films, data.split)

    monkeypatch.setattr(scoring, "predict_test_films", predict)
    monkeypatch.setattr(cost, "clips_per_second", lambda model, batch_size: 20.5)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    config = recipe.get_config("demo")
    config.demo.update({"train_films": 4, "test_films": 2, "frames": 18, "size": 32})
    config.tensorboard = False
    for stage in config.stages.values():
        stage.update({"epochs": 1, "batch_size": 2, "effective_batch": 2})
    parts, visual = plan("l2-s1", "1"), NetworkConfig("visual", 10)
    start = read_network(new_network(visual, seed=7))  # not the config's seed
    save_weights(Part(1, "visual").weights(tmp_path), start, WeightsInfo.of_network(visual, size=32))

    assert Ablation(config, tmp_path, "train_and_evaluate", QUIET).run(parts) == {}
    systems = collect(tmp_path, parts, QUIET)
    assert list(systems) == ["center-bias", "visual", "l2-s1"]
    assert systems["l2-s1"].cost.clips_per_second == 20.5 and systems["l2-s1"].cost.gflops > 0
    assert {row.films for row in systems["l2-s1"].gain.differences} == {2}
    assert {row.database for row in systems["l2-s1"].gain.differences} == {"Synthetic", ALL_FILMS}
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["data", "split1"]
    settings = json.loads((tmp_path / "split1" / "l2-s1" / "config.json").read_text())
    assert settings["init"]["visual"] == str(Part(1, "visual").weights(tmp_path))
    trained, info = load_weights(tmp_path / "split1" / "l2-s1")
    assert info.variant == "l2-s1"
    kernels = [np.ravel(weights["trunk/conv1/kernel"]) for weights in (trained, start)]
    assert 0.9 < np.corrcoef(kernels)[0, 1] < 0.9999999  # learned from there; other starting values would give 0

    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "split1").rglob("*") if path.is_file()}
    said = Console(file=io.StringIO(), width=200)
    assert Ablation(config, tmp_path, "train_and_evaluate", said).run(parts) == {}
    assert said.file.getvalue().splitlines() == ["split1/visual: done before.", "split1/l2-s1: done before."]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "split1").rglob("*") if path.is_file()} == times
