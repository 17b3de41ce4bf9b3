"""The stages of a training: which there are, what each starts from, and start weights that do not fit."""

import shutil

import numpy as np
import pytest
from rich.console import Console

from data_pipelines.runtime.errors import UserError
from stavis_jax.configs import av, visual
from stavis_jax.experiments.stages import load_start_weights, plan_stages, start_network
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.flat_names import new_network, read_network

QUIET = Console(quiet=True)


@pytest.fixture
def visual_weights(tmp_path):
    """Returns the directory of a visual network of depth 10 with random weights."""
    config = NetworkConfig("visual", 10)
    save_weights(tmp_path / "weights", read_network(new_network(config, seed=7)), WeightsInfo.of_network(config))
    return tmp_path / "weights"


def test_each_stage_starts_from_what_the_paper_says(tmp_path):
    config = av.get_config()
    config.init.update({"kinetics": "kinetics.pth", "soundnet": "soundnet.pth"})
    first, second = plan_stages(config, tmp_path)
    assert (first.name, first.network.variant, second.name, second.network.variant) == (
        "visual", "visual", "audiovisual", "l3mul-s3",
    )  # fmt: skip
    assert [str(start.path) for start in first.starts] == ["kinetics.pth"]
    assert second.starts[0].path == tmp_path / "visual" / "last"
    assert [start.from_earlier_stage for start in second.starts] == [True, False]


def test_a_given_visual_network_leaves_one_stage_and_a_visual_recipe_has_one():
    config = av.get_config()
    config.init.visual = "visual.pth"
    assert [stage.name for stage in plan_stages(config, "run")] == ["audiovisual"]
    assert [stage.name for stage in plan_stages(visual.get_config(), "run")] == ["visual"]


@pytest.mark.slow
def test_weights_of_another_kind_are_refused(visual_weights, tmp_path):
    config = av.get_config("demo")
    config.init.soundnet = str(visual_weights)
    _, stage = plan_stages(config, tmp_path)
    with pytest.raises(UserError, match=r"--config.init.soundnet=.*: holds stavis weights. Give a soundnet checkpoint"):
        load_start_weights(stage.starts[1:])


@pytest.mark.slow
def test_loaded_weights_fill_their_parts_and_are_not_read_again(visual_weights, tmp_path):
    config = av.get_config("demo")
    config.init.visual = str(visual_weights)
    (stage,) = plan_stages(config, tmp_path)
    loaded = load_start_weights(stage.starts)
    shutil.rmtree(visual_weights)
    arrays = read_network(start_network(stage, loaded, 0, QUIET))
    from_start, random = (read_network(new_network(of, seed)) for of, seed in (
        (NetworkConfig("visual", 10), 7), (stage.network, 0),
    ))  # fmt: skip
    for name, array in arrays.items():
        expected = from_start if name in from_start else random
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


@pytest.mark.slow
def test_weights_of_another_depth_are_refused(visual_weights, tmp_path):
    config = av.get_config("demo")
    config.model.depth, config.init.visual = 18, str(visual_weights)
    (stage,) = plan_stages(config, tmp_path)
    with pytest.raises(UserError, match=r"weights: lacks trunk/layer1/block1.*Check --config.model.depth and shortcut"):
        start_network(stage, {}, 0, QUIET)
