import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH
from stavis_jax.weights.checkpoint_kinds import Architecture
from stavis_jax.weights.key_tables import COUNTER
from stavis_jax.weights.transfer import from_pytorch, missing_arrays, to_pytorch

SOURCE = "file.pth"
RESNET10 = Architecture("stavis", 10, "B")
NETWORKS = {
    "audiovisual_resnet10": RESNET10,
    "audiovisual_resnet18": Architecture("stavis", 18, "B"),
    "audiovisual_resnet18_shortcutA": Architecture("stavis", 18, "A"),
    "audiovisual_resnet34": Architecture("stavis", 34, "B"),
    "audiovisual_resnet50": Architecture("stavis", 50, "B"),
    "visual_resnet50": Architecture("stavis", 50, "B"),
    "kinetics_resnet50": Architecture("kinetics", 50, "B"),
    "soundnet8": Architecture("soundnet"),
}


@pytest.fixture(scope="module")
def state_of(formulas, read_spec):
    def make(spec: str) -> dict[str, np.ndarray]:
        state = formulas.state_dict(read_spec(spec), 0)
        return {key.removeprefix("module."): array for key, array in state.items()}

    return make


@pytest.fixture(scope="module")
def small(state_of):
    """Returns a state dict of depth 10, which tests copy before they change it."""
    return state_of("audiovisual_resnet10")


def is_beyond_trunk(key: str) -> bool:
    return key.startswith(("layer4.", "fc."))


@pytest.mark.slow
@pytest.mark.parametrize("spec", NETWORKS)
def test_there_and_back_changes_no_bit_and_no_order(spec, state_of):
    state, network = state_of(spec), NETWORKS[spec]
    weights, batches_tracked, unused = from_pytorch(state, network, SOURCE)
    back = to_pytorch(weights, batches_tracked, network)
    assert unused == [key for key in state if is_beyond_trunk(key)]
    assert list(back) == [key for key in state if not is_beyond_trunk(key)]
    for key, array in back.items():
        assert array.dtype == state[key].dtype
        np.testing.assert_array_equal(array, state[key], err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("depth", BLOCKS_OF_DEPTH)
def test_rows_make_every_array_of_every_depth(depth, shortcut):
    assert len(missing_arrays({}, Architecture("stavis", depth, shortcut))) > 100  # raises where an array has no row


def test_layouts_put_each_number_where_it_belongs(small):
    weights = from_pytorch(small, RESNET10, SOURCE).weights
    # PyTorch: [O, I, kT, kH, kW], [O, I, kH, kW], [O, I, 1, k], [O, I], [I, O, kH, kW], [K, visual, sound].
    assert weights["trunk/conv1/kernel"][1, 2, 3, 0, 5] == small["conv1.weight"][5, 0, 1, 2, 3]
    assert weights["attention2/side_prep/kernel"][0, 1, 7, 3] == small["score_dsn.1.side_prep.weight"][3, 7, 0, 1]
    assert weights["soundnet/conv2/kernel"][9, 4, 6] == small["soundnet8.4.weight"][6, 4, 0, 9]
    assert weights["hidden/visual/kernel"][3, 8] == small["fusion3.affine_rgb.weight"][8, 3]
    assert weights["hidden/sound/kernel"][900, 8] == small["fusion3.affine_audio.weight"][8, 900]
    assert weights["localization/kernel"][5, 6, 7] == small["fusion3.w_a_rgb.weight"][5, 6, 7]
    assert weights["fuseav/conv/kernel"][0, 0, 100, 0] == small["fuseav.weight"][0, 100, 0, 0]
    upsampling = small["score_dsn.0.upscale.weight"].copy()
    upsampling[2, 3, 0, 1] = 0.5
    changed = from_pytorch(small | {"score_dsn.0.upscale.weight": upsampling}, RESNET10, SOURCE).weights
    assert changed["attention1/upsample_features"][0, 1, 2, 3] == 0.5


def test_batchnorm_counters_are_optional(small):
    without = {key: array for key, array in small.items() if not key.endswith(COUNTER)}
    weights, batches_tracked, _ = from_pytorch(without, RESNET10, SOURCE)
    assert batches_tracked is None
    assert list(to_pytorch(weights, batches_tracked, RESNET10)) == list(without)


def test_batchnorm_counters_may_be_arrays_of_one_number(small):
    listed = {key: array.reshape(1) if key.endswith(COUNTER) else array for key, array in small.items()}
    assert (
        from_pytorch(listed, RESNET10, SOURCE).batches_tracked == from_pytorch(small, RESNET10, SOURCE).batches_tracked
    )


def test_quantised_numbers_are_refused(small):
    quantised = np.round(100 * small["fuse.weight"]).astype(np.int8)
    with pytest.raises(UserError, match=r"file\.pth: fuse\.weight holds int8 values, not floating points"):
        from_pytorch(dict(small) | {"fuse.weight": quantised}, RESNET10, SOURCE)


def test_unknown_counters_are_written_as_zero(small):
    weights = from_pytorch(small, RESNET10, SOURCE).weights
    back = to_pytorch(weights, {"trunk/bn1": 3}, RESNET10)
    assert list(back) == list(small)
    assert back["bn1.num_batches_tracked"] == 3
    assert back["layer1.0.bn1.num_batches_tracked"] == 0


def test_everything_left_over_and_everything_missing_is_named_at_once(small):
    state = dict(small) | {"extra.one": np.ones(1), "extra.two": np.ones(1)}
    del state["fuse.bias"], state["layer3.0.bn2.running_var"]
    with pytest.raises(UserError) as error:
        from_pytorch(state, RESNET10, SOURCE)
    message = str(error.value)
    assert message.startswith("file.pth: ")
    for key in ("extra.one", "extra.two", "fuse.bias", "layer3.0.bn2.running_var"):
        assert key in message
    assert "\n" not in message


def test_left_over_classifier_of_a_saliency_checkpoint_is_an_error(small):
    with pytest.raises(UserError, match=r"unknown keys: fc\.weight"):
        from_pytorch(dict(small) | {"fc.weight": np.ones((400, 2048))}, RESNET10, SOURCE)


def test_wrong_shape_is_named_with_both_shapes(small):
    state = dict(small) | {"fuse.weight": np.ones((1, 32, 1, 1)), "soundnet8.0.weight": np.ones((16, 1, 64))}
    with pytest.raises(UserError, match=r"fuse\.weight is 1 x 32 x 1 x 1, not 1 x 64 x 1 x 1") as error:
        from_pytorch(state, RESNET10, SOURCE)
    assert "soundnet8.0.weight is 16 x 1 x 64, not 16 x 1 x 1 x 64" in str(error.value)
