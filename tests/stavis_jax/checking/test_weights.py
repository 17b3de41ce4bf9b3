import numpy as np
import pytest
import safetensors.numpy

from stavis_jax.checking.weights import check_weights_directory, check_weights_file
from stavis_jax.weights.conversion import to_half
from stavis_jax.weights.directory import read_weights, save_weights
from stavis_jax.weights.pytorch_file import read_checkpoint


def changed(directory, change) -> None:
    """Writes the directory again with arrays that `change` has edited."""
    weights, info = read_weights(directory)
    change(weights)
    save_weights(directory, weights, info, overwrite=True)


def test_good_weights_are_described(good_files):
    finding = check_weights_directory(good_files.weights)
    assert finding.line == f"ok: {good_files.weights}: weights of visual of depth 10, 71 arrays, all finite"


@pytest.mark.parametrize("name", ["weights.safetensors", "stavis.json"])
def test_damage_to_a_directory_is_told(name, damage, copied):
    directory = copied("weights")
    if name == "stavis.json" and damage.__name__ == "flip_bit":
        path = directory / name
        path.write_text(path.read_text().replace('"depth": 10', '"depth": 11'))
    else:
        damage(directory / name)
    finding = check_weights_directory(directory)
    assert finding.state == "damaged"
    assert finding.text.endswith(("Convert or train again.", "`python -m stavis_jax.convert` wrote."))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda weights: weights.pop("fuse/conv/bias"), "it lacks fuse/conv/bias"),
        (lambda weights: weights.update({"fuse/conv/bias": np.zeros(3, np.float32)}), "network's of fuse/conv/bias"),
        (
            lambda weights: weights.update({"fuse/conv/bias": np.full(1, np.nan, np.float32)}),
            "numbers are not finite in fuse/conv/bias",
        ),
        (lambda weights: weights.update({"other": np.zeros(3, np.float32)}), "that the network has not: other"),
    ],
    ids=["missing", "shape", "not finite", "unknown"],
)
def test_arrays_that_do_not_fit_the_network_are_named(change, says, copied):
    directory = copied("weights")
    changed(directory, change)
    assert says in check_weights_directory(directory).text


@pytest.mark.slow
def test_damage_to_a_pth_file_is_told(damage, copied):
    path = copied("pth")
    assert check_weights_file(path).state == "ok"
    damage(path)
    assert check_weights_file(path).state == "damaged"


@pytest.mark.slow
def test_damage_to_a_safetensors_file_is_told(good_files, tmp_path):
    state = {name: np.ascontiguousarray(array) for name, array in read_checkpoint(good_files.pth).state.items()}
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(state, path)
    assert check_weights_file(path).state == "ok"
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], content[:-4]):
        path.write_bytes(damaged)
        assert check_weights_file(path).state == "damaged"
    name = next(name for name, array in state.items() if array.dtype == np.float32 and array.ndim > 1)
    safetensors.numpy.save_file(state | {name: np.full_like(state[name], np.inf)}, path)
    assert "finite" in check_weights_file(path).text


def test_half_weights_are_whole(copied, tmp_path):
    to_half(copied("weights"), tmp_path / "half")
    assert check_weights_directory(tmp_path / "half").state == "ok"
