import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.models.resnet3d import BLOCKS_OF_DEPTH
from stavis_jax.weights.checkpoint_kinds import architecture_of, has_untrained_sound

SOURCE = "file.pth"


def state_of(spec: dict) -> dict:
    """Returns zeros under the spec's keys without prefix. They use no memory."""
    return {key.removeprefix("module."): np.broadcast_to(np.float32(0), shape) for key, (shape, _) in spec.items()}


@pytest.mark.parametrize(
    ("spec", "kind", "depth", "shortcut"),
    [
        ("audiovisual_resnet10", "stavis", 10, "B"),
        ("audiovisual_resnet18", "stavis", 18, "B"),
        ("audiovisual_resnet18_shortcutA", "stavis", 18, "A"),
        ("audiovisual_resnet34", "stavis", 34, "B"),
        ("audiovisual_resnet50", "stavis", 50, "B"),
        ("visual_resnet50", "stavis", 50, "B"),
        ("kinetics_resnet50", "kinetics", 50, "B"),
    ],
)
def test_kind_depth_and_shortcut_are_told_from_the_keys(spec, kind, depth, shortcut, read_spec):
    assert architecture_of(state_of(read_spec(spec)), SOURCE) == (kind, depth, shortcut)


def test_soundnet_is_told_from_its_keys(read_spec):
    assert architecture_of(state_of(read_spec("soundnet8")), SOURCE) == ("soundnet", None, None)


@pytest.mark.parametrize("depth", BLOCKS_OF_DEPTH)
def test_every_depth_is_told_from_its_blocks(depth):
    convolutions = (1, 2, 3) if depth >= 50 else (1, 2)
    state = {
        f"layer{layer}.{block}.conv{convolution}.weight": np.zeros(0)
        for layer, blocks in enumerate(BLOCKS_OF_DEPTH[depth], start=1)
        for block in range(blocks)
        for convolution in convolutions
    }
    assert architecture_of(state, SOURCE) == ("kinetics", depth, "A")


def test_unknown_number_of_blocks_is_told():
    state = {f"layer{layer}.{block}.conv1.weight": np.zeros(0) for layer in (1, 2, 3) for block in range(9)}
    with pytest.raises(
        UserError, match=r"file\.pth: layers 1 to 3 have 9, 9, 9 basic blocks.*fits no 3D ResNet of depth 10, 18"
    ):
        architecture_of(state, SOURCE)


def test_other_networks_are_refused_with_some_of_their_keys():
    state = {f"features.{i}.weight": np.zeros(0) for i in range(30)}
    with pytest.raises(UserError, match=r"file\.pth: not a STAViS.*features\.0\.weight.*and 27 more"):
        architecture_of(state, SOURCE)


@pytest.fixture
def starting_values():
    """Returns the sound part as the authors' code draws it."""
    draw = np.random.default_rng(0).normal
    return {
        "fuseav.weight": draw(0, 0.001, (1, 128, 1, 1)),
        "fuseav.bias": np.float32([-6]),
        "fusion3.affine_rgb.weight": draw(0, 0.125, (128, 512)),
        "fusion3.affine_rgb.bias": np.zeros(128),
        "fusion3.affine_audio.bias": np.zeros(128),
        "fusion3.w_a_rgb.bias": np.zeros(64),
    }


def test_starting_values_mean_an_untrained_sound_part(starting_values):
    assert has_untrained_sound(starting_values)


@pytest.mark.parametrize("key", ["fuseav.bias", "fusion3.affine_rgb.bias", "fusion3.w_a_rgb.bias", "fuseav.weight"])
def test_any_value_that_moved_means_a_trained_sound_part(key, starting_values):
    moved = starting_values[key].copy()
    moved.flat[0] += 0.1
    assert not has_untrained_sound(starting_values | {key: moved})


def test_formula_checkpoint_counts_as_trained(formulas, read_spec):
    spec = {key: value for key, value in read_spec("audiovisual_resnet10").items() if ".fus" in key}
    state = formulas.state_dict(spec, 0)
    assert not has_untrained_sound({key.removeprefix("module."): array for key, array in state.items()})
