"""The stages of a training: which there are, what each starts from, and start weights that do not fit."""

import io
import shutil

import jax
import numpy as np
import pytest
from rich.console import Console

from data_pipelines.runtime.errors import UserError
from stavis_jax.configs import av, visual
from stavis_jax.experiments import training
from stavis_jax.experiments.stages import load_start_weights, plan_stages, start_network
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.prediction.model import StavisModel, load
from stavis_jax.weights.conversion import pytorch_to_directory
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


@pytest.mark.parametrize(
    ("recipe", "init", "unused"),
    [(av, {"visual": "v.pth", "kinetics": "k.pth"}, "kinetics"), (visual, {"soundnet": "s.pth"}, "soundnet")],
)
def test_start_weights_that_no_stage_takes_are_refused(recipe, init, unused, tmp_path):
    config = recipe.get_config()
    config.init.update(init)
    with pytest.raises(UserError, match=f"--config.init.{unused}: no stage of this training starts from it"):
        plan_stages(config, tmp_path)


def test_kernels_that_start_as_2d_ones_are_zero_outside_the_middle_frame():
    config = visual.get_config("demo")
    with config.unlocked():
        config.model.starts_2d = True
    (stage,) = plan_stages(config, "run")
    drawn = read_network(new_network(stage.network, config.seed))
    started = read_network(start_network(stage, {}, config.seed, QUIET))
    kernels = {name: array for name, array in started.items() if array.ndim == 5}
    assert len(kernels) == 9  # the stem, two in each layer, two shortcuts
    for name, kernel in kernels.items():
        taps = len(kernel)
        assert not np.delete(kernel, taps // 2, axis=0).any()
        np.testing.assert_allclose(kernel[taps // 2], drawn[name][taps // 2] * taps**0.5, rtol=1e-6)
    for name in started.keys() - kernels.keys():
        np.testing.assert_array_equal(started[name], drawn[name])


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
def test_a_visual_recipe_trains_a_given_visual_network_further(visual_weights, tmp_path):
    config = visual.get_config("demo")
    config.init.visual = str(visual_weights)
    (stage,) = plan_stages(config, tmp_path)
    assert (stage.name, stage.network) == ("visual", NetworkConfig("visual", 10))
    arrays = read_network(start_network(stage, load_start_weights(stage.starts), 0, QUIET))
    for name, array in read_network(new_network(stage.network, 7)).items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    config.init.kinetics = "kinetics.pth"
    with pytest.raises(UserError, match="--config.init.kinetics: no stage of this training starts from it"):
        plan_stages(config, tmp_path)


@pytest.mark.slow
def test_weights_of_another_depth_are_refused(visual_weights, tmp_path):
    config = av.get_config("demo")
    config.model.depth, config.init.visual = 18, str(visual_weights)
    (stage,) = plan_stages(config, tmp_path)
    with pytest.raises(UserError, match=r"weights: lacks trunk/layer1/block1.*Check --config.model.depth and shortcut"):
        start_network(stage, {}, 0, QUIET)


@pytest.fixture(scope="module")
def converted(write_golden_checkpoint, tmp_path_factory):
    """Returns the converted directory of an audio-visual checkpoint of depth 10."""
    directory = tmp_path_factory.mktemp("converted") / "av"
    pytorch_to_directory(write_golden_checkpoint("audiovisual_resnet10"), directory)
    return directory


def config_from(audiovisual, **model):
    config = av.get_config("demo")
    config.init.audiovisual = str(audiovisual)
    config.model.update(model)
    return config


@pytest.mark.slow
def test_training_from_an_audiovisual_checkpoint_begins_with_its_outputs(
    converted, golden_inputs, tmp_path, monkeypatch
):
    begun, said = [], io.StringIO()
    monkeypatch.setattr(training, "train", lambda network, *_, **__: begun.append(network))
    monkeypatch.setattr(training, "_training_data", lambda *_: training.TrainingData(io.StringIO(), 1, None, [], ""))
    training.train_stages(config_from(converted), None, tmp_path, Console(file=said, width=200))
    (network,) = begun
    checkpoint, arrays = load(converted), read_network(network)
    clip, waveform = golden_inputs(0, 64)
    at_start = StavisModel(network.config, arrays, 64)(clip, waveform)
    for found, expected in zip(at_start, checkpoint(clip, waveform), strict=True):
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert arrays.keys() == checkpoint.weights.keys()
    assert "random" not in said.getvalue()


@pytest.mark.slow
def test_parts_that_start_from_random_values_are_listed_in_one_line(converted, tmp_path, caplog):
    config, said = av.get_config("demo"), io.StringIO()
    config.init.visual = str(converted)
    (stage,) = plan_stages(config, tmp_path)
    start_network(stage, {}, 0, Console(file=said, width=200))
    parts = "fuseav, hidden, localization, soundnet"
    assert said.getvalue() == (
        f"audiovisual: {parts} start from random values (--config.init.soundnet is not given).\n"
    )
    assert caplog.messages == [
        f"--config.init.visual={converted}: its sound part is not taken. "
        "--config.init.audiovisual takes the whole network."
    ]


@pytest.mark.slow
def test_a_visual_network_and_another_variant_are_no_whole_network(visual_weights, converted, tmp_path):
    for config, message in (
        (config_from(visual_weights), "holds a visual network. Give it as --config.init.visual"),
        (config_from(converted, variant="l1-s1"), "holds l3mul-s3. Set --config.model.variant=l3mul-s3"),
    ):
        (stage,) = plan_stages(config, tmp_path)
        with pytest.raises(UserError, match=f"--config.init.audiovisual=.*: {message}"):
            load_start_weights(stage.starts)


@pytest.mark.parametrize("setting", ["kinetics", "soundnet", "visual"])
def test_a_whole_network_goes_with_no_other_start_weights(setting, tmp_path):
    config = config_from("av.pth")
    config.init[setting] = "other.pth"
    with pytest.raises(UserError, match=f"--config.init.{setting}: --config.init.audiovisual gives these weights too"):
        plan_stages(config, tmp_path)


def test_a_whole_network_trains_one_stage_and_not_a_visual_one(tmp_path):
    assert [stage.name for stage in plan_stages(config_from("av.pth"), tmp_path)] == ["audiovisual"]
    with pytest.raises(UserError, match="--config.init.audiovisual: visual has no sound part"):
        plan_stages(config_from("av.pth", variant="visual"), tmp_path)
