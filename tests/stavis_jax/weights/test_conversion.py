import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.weights.checkpoint_kinds import Architecture, has_untrained_sound
from stavis_jax.weights.conversion import convert, pytorch_to_directory, to_checkpoint
from stavis_jax.weights.directory import WeightsInfo, read_info, read_weights, save_weights
from stavis_jax.weights.flat_names import expected_shapes
from stavis_jax.weights.transfer import from_pytorch

CONFIG = NetworkConfig("visual", 10)


@pytest.fixture(scope="module")
def trained():
    """Returns the arrays of a visual training."""
    draw = np.random.default_rng(0).normal
    return {name: np.float32(draw(size=shape)) for name, shape in expected_shapes(CONFIG).items()}


def test_visual_training_is_filled_up_with_starting_values(trained, read_spec):
    checkpoint, filled = to_checkpoint(trained, WeightsInfo.of_network(CONFIG), "run")
    keys = [key.removeprefix("module.") for key in read_spec("audiovisual_resnet10")]
    assert list(checkpoint.state) == keys
    assert checkpoint.architecture == "resnet-10"
    assert {name.split("/")[0] for name in filled} == {"soundnet", "hidden", "localization", "fuseav"}
    assert has_untrained_sound(checkpoint.state)  # so it comes back as visual
    back = from_pytorch(checkpoint.state, Architecture("stavis", 10, "B"), "file").weights
    for name, array in trained.items():
        np.testing.assert_array_equal(back[name], array)


@pytest.mark.slow
def test_filling_up_is_the_same_every_time(trained):
    info = WeightsInfo.of_network(CONFIG)
    first, second = (to_checkpoint(trained, info, "run").checkpoint.state for _ in range(2))
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


def test_audiovisual_weights_without_their_sound_are_damaged(trained):
    info = WeightsInfo.of_network(NetworkConfig("l3mul-s3", 10))
    with pytest.raises(UserError, match=r"run: damaged, lacks fuseav/conv/bias"):
        to_checkpoint(trained, info, "run")


def test_visual_weights_without_some_of_their_own_are_damaged(trained):
    without = {name: array for name, array in trained.items() if name != "fuse/conv/bias"}
    with pytest.raises(UserError, match=r"run: damaged, lacks fuse/conv/bias"):
        to_checkpoint(without, WeightsInfo.of_network(CONFIG), "run")


def test_systems_that_the_authors_code_lacks_are_told():
    info = WeightsInfo.of_network(NetworkConfig("l2-s1", 10))
    with pytest.raises(UserError, match="run: the authors' code has no l2-s1, only visual and l3mul-s3"):
        to_checkpoint({}, info, "run")


@pytest.fixture
def with_average(write_golden_checkpoint, tmp_path):
    """Returns a training's file with the optimiser's state and two state dicts, of which one is twice the other."""
    torch = pytest.importorskip("torch")

    state = torch.load(write_golden_checkpoint("soundnet8"))
    doubled = {key: 2 * tensor for key, tensor in state.items()}
    path = tmp_path / "save_3.pth"
    torch.save({"epoch": 4, "model": state, "ema": {"module": doubled}, "optimizer": {"state": {0: {}}}}, path)
    return path


def test_the_optimisers_state_is_left_out_and_the_summary_says_so(with_average, write_golden_checkpoint, tmp_path):
    summary = pytorch_to_directory(with_average, tmp_path / "out")
    assert summary["left out"] == "the optimiser's state: a training from these weights starts with a new one"
    assert "left out" not in pytorch_to_directory(write_golden_checkpoint("soundnet8"), tmp_path / "other")


def test_one_of_several_state_dicts_is_taken_and_it_says_which_and_how_to_take_another(with_average, tmp_path, caplog):
    convert(with_average, tmp_path / "own")
    assert caplog.messages == [
        f"{with_average}: its state dict model is taken, not ema.module. To take another: "
        "python -m stavis_jax.convert --state-dict ema.module."
    ]
    convert(with_average, tmp_path / "averaged", state_dict="ema.module")
    own, averaged = (read_weights(tmp_path / name)[0] for name in ("own", "averaged"))
    np.testing.assert_array_equal(averaged["soundnet/conv1/kernel"], 2 * own["soundnet/conv1/kernel"])
    with pytest.raises(UserError, match=r"save_3\.pth: has no state dict 'average', only model, ema\.module"):
        convert(with_average, tmp_path / "none", state_dict="average")


def test_kernels_are_stored_as_float16_if_told(trained, tmp_path):
    trained = trained | {"trunk/bn1/var": np.full(64, 1e5, np.float32)}  # beyond float16
    save_weights(tmp_path / "run", trained, WeightsInfo.of_network(CONFIG, size=64))
    summary = convert(tmp_path / "run", tmp_path / "half", half=True)
    assert summary["arrays"] == f"{len(trained)}, kernels as float16"
    weights, info = read_weights(tmp_path / "half")
    assert info == read_info(tmp_path / "run")
    for name, array in trained.items():
        np.testing.assert_array_equal(weights[name], array.astype(np.float16) if array.ndim > 1 else array)
    sizes = [(tmp_path / folder / "weights.safetensors").stat().st_size for folder in ("run", "half")]
    assert sizes[1] < 0.51 * sizes[0]


def test_a_value_too_large_for_float16_is_told(trained, tmp_path):
    large = {"fuse/conv/kernel": np.full_like(trained["fuse/conv/kernel"], 1e6)}
    save_weights(tmp_path / "run", trained | large, WeightsInfo.of_network(CONFIG))
    with pytest.raises(UserError, match=r"--half: .*run: fuse/conv/kernel do not fit into float16"):
        convert(tmp_path / "run", tmp_path / "half", half=True)
    assert not (tmp_path / "half").exists()
