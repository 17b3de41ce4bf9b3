"""Wrong use of the main command: one line on stderr, no traceback, a non-zero exit code, nothing written."""

import pytest

from stavis_jax.configs import av


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config: missing. Try --config=av."),
        (["--config=configs/none.py"], "configs/none.py"),
        (["--config=nothing"], "Give a file, or one of ablation, av, starter, visual."),
        (["--config=LICENSE"], "invalid syntax (LICENSE, line 1)"),
        (["--config", "av:tiny"], "'tiny' is not one of paper, demo"),
        (["--config=configs/av.py:tiny"], "'tiny' is not one of paper, demo"),
        (["--config=configs/av.py", "--config.data.path=nowhere"], "--config.data.path=nowhere: no such folder"),
        (["--config=configs/av.py", "--config.data.path=docs"], "docs: holds no shards"),
        (["--config=configs/av.py", "--config.model.wings=2"], "wings"),
        (["--config=configs/av.py:demo", "--config.data.path=nowhere"], "the demo makes its own data"),
        (["--config=configs/av.py", "--config.data.raw=nowhere"], "--config.data.path: missing"),
        (["--config=configs/av.py", "--config.model.variant=l9"], "variant 'l9' is not one of visual, l1-audio-only"),
        (["--config=configs/av.py", "--processes=2", "--process=1"], "--coordinator, --processes, --process: give all"),
        (
            ["--config=configs/av.py", "--config.preset=demo"],
            "--config.preset cannot be set directly. Use --config=FILE:demo.",
        ),
        (["--config=configs/av.py", "--config.seed=-1"], "--config.seed=-1: give 0 or more"),
        (["--config=configs/av.py", "--mode=fly"], "fly"),
        (["--config=configs/av.py", "train"], "train: unknown argument"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(commands, arguments, message, tmp_path):
    ended = commands.run("stavis_jax.main", *arguments, f"--workdir={tmp_path / 'run'}")
    assert ended.code > 0 and not ended.timed_out
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_demo_is_the_paper_recipe_made_small():
    paper, demo = av.get_config(), av.get_config("demo")
    assert set(demo.keys()) - set(paper.keys()) == {"demo"}
    for stage in ("visual", "audiovisual"):
        assert set(demo.stages[stage].keys()) == set(paper.stages[stage].keys())
        assert demo.stages[stage].momentum == paper.stages[stage].momentum


def test_the_paper_recipe_states_the_published_settings():
    stages = av.get_config().stages
    for stage in (stages.visual, stages.audiovisual):
        assert (stage.epochs, stage.effective_batch, stage.learning_rate, stage.patience) == (60, 128, 0.01, 10)
        assert (stage.momentum, stage.dampening, stage.weight_decay) == (0.9, 0.9, 1e-5)
