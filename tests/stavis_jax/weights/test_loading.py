import logging

import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.directory import WeightsInfo, save_weights
from stavis_jax.weights.loading import find_directory, load_weights
from stavis_jax.weights.pytorch_weights import read_pytorch_weights

torch = pytest.importorskip("torch")

SPEC = "audiovisual_resnet10"


@pytest.fixture
def workdir(tmp_path):
    """Makes a workdir of tiny arrays whose source is the name of their folder."""

    def make(*places: str):
        for place in places:
            info = WeightsInfo.of_network(NetworkConfig(place.split("/")[0]), source=place)
            save_weights(tmp_path / "run" / place, {"a": np.ones(1, np.float32)}, info)
        return tmp_path / "run"

    return make


@pytest.fixture(scope="module")
def untrained_sound(write_golden_checkpoint, tmp_path_factory):
    """Writes a file whose sound part has the authors' starting values."""
    content = torch.load(write_golden_checkpoint(SPEC))
    state, generator = content["state_dict"], torch.Generator().manual_seed(0)
    for key in state:
        if key.startswith("module.fusion3.") and key.endswith(".bias"):
            state[key].zero_()
    state["module.fuseav.bias"].fill_(-6)
    state["module.fuseav.weight"].normal_(0, 0.001, generator=generator)
    path = tmp_path_factory.mktemp("untrained") / "visual.pth"
    torch.save(content, path)
    return path


def test_pytorch_file_tells_what_it_is(write_golden_checkpoint):
    weights, info, unused, _ = read_pytorch_weights(write_golden_checkpoint(SPEC))
    assert info.network_config() == NetworkConfig("l3mul-s3", 10, "B")
    assert (info.kind, info.epoch, info.source) == ("stavis", 61, f"{SPEC}-0-plain-zip.pth")
    assert len(info.batches_tracked) == 16 and unused == []
    assert all(array.dtype == np.float32 for array in weights.values())


def test_file_without_trained_sound_is_taken_as_visual_and_it_says_so(untrained_sound, caplog):
    weights, info = load_weights(untrained_sound)
    assert info.variant == "visual"
    assert "fuseav/conv/bias" in weights  # all arrays are kept, whatever the variant
    assert caplog.messages == [f"{untrained_sound}: taken as visual, since its sound part was never trained."]


def test_file_with_trained_sound_is_taken_as_audiovisual_and_it_says_so(write_golden_checkpoint, caplog):
    path = write_golden_checkpoint(SPEC)
    assert load_weights(path)[1].variant == "l3mul-s3"
    assert caplog.messages == [f"{path}: taken as l3mul-s3, since its sound part is trained."]


@pytest.mark.parametrize("variant", ["visual", "l3mul-s3"])
def test_variant_given_decides_and_nothing_is_said(variant, untrained_sound, caplog):
    assert load_weights(untrained_sound, variant)[1].variant == variant
    assert not caplog.messages


def test_architecture_that_contradicts_the_arrays_is_told(write_golden_checkpoint, tmp_path, caplog):
    content = torch.load(write_golden_checkpoint(SPEC)) | {"arch": "resnet-34"}
    torch.save(content, tmp_path / "odd.pth")
    assert load_weights(tmp_path / "odd.pth", "visual")[1].depth == 10
    assert "says resnet-34, but its arrays are those of resnet-10" in caplog.text


def test_backbones_are_read_without_a_variant(write_golden_checkpoint):
    weights, info = load_weights(write_golden_checkpoint("soundnet8"))
    assert (info.kind, info.variant, info.depth) == ("soundnet", None, None)
    assert all(name.startswith("soundnet/") for name in weights)


def test_weights_of_a_finished_training_come_before_its_best(workdir):
    assert load_weights(workdir("visual/best", "visual/last"))[1].source == "visual/last"


def test_best_weights_are_taken_of_a_training_that_goes_on(workdir):
    assert load_weights(workdir("visual/best"))[1].source == "visual/best"


def test_workdir_gives_the_variant_asked_for_and_the_one_with_sound_by_default(workdir, caplog):
    run = workdir("visual/best", "l3mul-s3/best")
    with caplog.at_level(logging.INFO, "stavis_jax"):
        assert load_weights(run)[1].source == "l3mul-s3/best"
    assert "l3mul-s3/best is taken" in caplog.text
    assert load_weights(run, "visual")[1].source == "visual/best"
    assert load_weights(run / "visual")[1].source == "visual/best"


def test_variant_that_was_not_trained_is_told_with_those_that_were(workdir):
    with pytest.raises(UserError, match="l3mul-s3 is not trained here, only visual"):
        load_weights(workdir("visual/best"), "l3mul-s3")


def test_unknown_variant_is_told_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="variant 'audio' is not one of visual, l1-audio-only"):
        load_weights(tmp_path, "audio")


def test_nothing_there_is_told(tmp_path):
    with pytest.raises(UserError, match="none: no such file or directory"):
        load_weights(tmp_path / "none")
    with pytest.raises(UserError, match="neither a converted checkpoint nor a training's workdir"):
        find_directory(tmp_path)
