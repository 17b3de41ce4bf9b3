"""Settings that may change when a training goes on, and settings that may not."""

import json

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.configs import av
from stavis_jax.experiments.workdir import check_same_settings, write_settings

STARTED = {"visual": True, "audiovisual": False}


@pytest.fixture
def workdir(tmp_path):
    write_settings(av.get_config(), tmp_path / "run")
    return tmp_path / "run"


def changed(**settings):
    config = av.get_config()
    config.update_from_flattened_dict({key.replace("__", "."): value for key, value in settings.items()})
    return config


@pytest.mark.parametrize(
    "settings",
    [
        {"stages__visual__save_every_steps": 500, "stages__visual__keep_checkpoints": 5},
        {"data__path": "elsewhere", "data__workers": 3, "init__kinetics": "moved.pth"},
        {"evaluation__weights": "best", "tensorboard": False},
        {"stages__audiovisual__epochs": 3},  # has not begun
    ],
)
def test_what_makes_no_other_training_may_change(settings, workdir):
    check_same_settings(changed(**settings), workdir, STARTED)


@pytest.mark.parametrize(("setting", "is_told"), [("init__kinetics", True), ("init__soundnet", False)])
def test_start_weights_that_come_too_late_are_told(setting, is_told, workdir, caplog):
    earlier = json.loads((workdir / "config.json").read_text())
    del earlier["init"]["kinetics"]  # a version that lacks the setting
    (workdir / "config.json").write_text(json.dumps(earlier))
    check_same_settings(av.get_config(), workdir, STARTED)
    assert not caplog.messages
    check_same_settings(changed(**{setting: "other.pth"}), workdir, STARTED)
    assert [message.startswith("--config.init.kinetics has changed") for message in caplog.messages] == [True] * is_told
    caplog.clear()
    check_same_settings(changed(**{setting: "other.pth"}), workdir, None)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stages__visual__epochs": 3}, "--config.stages.visual.epochs=60, now it is 3"),
        ({"compute__dtype": "bfloat16"}, "--config.compute.dtype=auto, now it is bfloat16"),
        ({"data__split": 2}, "--config.data.split=1, now it is 2"),
        ({"seed": 1}, "--config.seed=0, now it is 1"),
    ],
)
def test_another_training_is_refused(settings, message, workdir):
    with pytest.raises(UserError, match=message):
        check_same_settings(changed(**settings), workdir, STARTED)


def test_nothing_begun_may_all_change_and_scoring_asks_for_no_training_settings(workdir):
    nothing = dict.fromkeys(STARTED, False)
    check_same_settings(changed(stages__visual__epochs=3, model__depth=18), workdir, nothing)
    check_same_settings(changed(stages__visual__epochs=3, compute__dtype="bfloat16"), workdir, None)
    with pytest.raises(UserError, match="--config.model.depth=50, now it is 18"):
        check_same_settings(changed(model__depth=18), workdir, None)
