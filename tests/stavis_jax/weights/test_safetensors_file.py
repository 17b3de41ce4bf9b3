"""State dicts in .safetensors files: one file or shards with an index, as other frameworks write them."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.directory import save_weights
from stavis_jax.weights.loading import load_weights
from stavis_jax.weights.pytorch_weights import read_pytorch_weights
from stavis_jax.weights.safetensors_file import read_safetensors

SPEC = "soundnet8"


@pytest.fixture(scope="module")
def state(formulas, read_spec) -> dict[str, np.ndarray]:
    return {f"_orig_mod.{key}": array for key, array in formulas.state_dict(read_spec(SPEC), 0).items()}


@pytest.fixture(scope="module")
def expected(write_golden_checkpoint):
    return read_pytorch_weights(write_golden_checkpoint(SPEC))


@pytest.fixture
def sharded(state, tmp_path):
    """Writes three shards and their index. Returns the index."""
    folder, files = tmp_path / "sharded", {}
    folder.mkdir()
    for number in range(3):
        name = f"model-{number}-of-3.safetensors"
        shard = dict(list(state.items())[number::3])
        save_file(shard, folder / name)
        files |= dict.fromkeys(shard, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    return folder / "model.safetensors.index.json"


def assert_same(weights, info, expected):
    assert (info.kind, info.batches_tracked) == ("soundnet", expected.info.batches_tracked)
    assert weights.keys() == expected.weights.keys()
    for name, array in expected.weights.items():
        np.testing.assert_array_equal(weights[name], array)


def test_one_file_holds_what_the_pth_file_holds(state, expected, tmp_path):
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_same(*load_weights(tmp_path / "model.safetensors"), expected)
    assert_same(*load_weights(tmp_path), expected)


def test_shards_are_found_by_their_index_or_their_folder(sharded, expected):
    assert_same(*load_weights(sharded), expected)
    assert_same(*load_weights(sharded.parent), expected)


def test_a_key_is_taken_from_the_shard_that_the_index_names(sharded, state, expected):
    key = next(iter(state))  # of the first shard
    last = sharded.with_name("model-2-of-3.safetensors")
    save_file(dict(list(state.items())[2::3]) | {key: state[key] + 1, "old.weight": state[key]}, last)
    assert_same(*load_weights(sharded), expected)


@pytest.mark.parametrize("name", ["", ".", "..", "../a.safetensors", "/a.safetensors", "a\0b", "..\\a.safetensors"])
def test_an_index_names_only_files_beside_it(sharded, name):
    files = json.loads(sharded.read_text())["weight_map"]
    sharded.write_text(json.dumps({"weight_map": files | {"a": name}}))
    with pytest.raises(UserError, match="names a file of another folder"):
        read_safetensors(sharded)


def test_half_and_double_precision_become_single(tmp_path):
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")

    formats = (torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2)
    state = {f"fuse.{number}": torch.tensor([0.5, 2]).to(dtype) for number, dtype in enumerate(formats)}
    safetensors_torch.save_file(state | {"fuse.n": torch.tensor(7)}, tmp_path / "half.safetensors")
    found = read_safetensors(tmp_path / "half.safetensors").state
    assert found.pop("fuse.n").dtype == np.int64
    for array in found.values():
        assert array.dtype == np.float32 and array.tolist() == [0.5, 2]
    assert len(found) == len(formats)


def test_our_own_file_of_arrays_stands_for_its_directory(expected, tmp_path):
    save_weights(tmp_path / "ours", expected.weights, expected.info)
    assert_same(*load_weights(tmp_path / "ours" / "weights.safetensors"), expected)


def test_values_that_are_not_finite_are_refused_by_name(tmp_path):
    save_file({"fuse.bias": np.float32([np.nan])}, tmp_path / "nan.safetensors")
    with pytest.raises(UserError, match=r"nan\.safetensors: fuse\.bias holds values that are not finite"):
        read_safetensors(tmp_path / "nan.safetensors")


def test_a_damaged_file_a_missing_shard_and_a_bad_index_are_named(sharded):
    shard = sharded.with_name("model-1-of-3.safetensors")
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"model-1-of-3\.safetensors: cannot be read"):
        read_safetensors(sharded)
    shard.unlink()
    with pytest.raises(UserError, match=r"model-1-of-3\.safetensors: cannot be read \(No such file"):
        read_safetensors(sharded)
    save_file({"other": np.ones(1)}, shard)
    with pytest.raises(UserError, match=r"model-1-of-3\.safetensors: lacks _orig_mod\."):
        read_safetensors(sharded)
    for text, says in (("{", "damaged"), ("{}", "no weight_map"), ('{"weight_map": {"a": "../b"}}', "another folder")):
        sharded.write_text(text)
        with pytest.raises(UserError, match=rf"model\.safetensors\.index\.json: .*{says}"):
            read_safetensors(sharded)
