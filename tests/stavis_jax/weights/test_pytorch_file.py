import argparse
import collections
import datetime
import os
import pickle
import struct
import sys
import tarfile
import types
import typing
import zipfile
from pathlib import Path

import numpy as np
import pytest
from golden_checkpoints import GOLDEN

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.pytorch_file import PyTorchCheckpoint, read_checkpoint, write_checkpoint

torch = pytest.importorskip("torch")

SPEC = "soundnet8"


class RunsCode:
    """Makes a directory when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def save(tmp_path, content, **options):
    path = tmp_path / "saved.pth"
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize("container", ["zip", "legacy", "cuda"])
def test_every_container_holds_the_same_arrays(container, write_golden_checkpoint, formulas, read_spec):
    checkpoint = read_checkpoint(write_golden_checkpoint("audiovisual_resnet10", 0, "plain", container))
    expected = formulas.state_dict(read_spec("audiovisual_resnet10"), 0)
    assert list(checkpoint.state) == [key.removeprefix("module.") for key in expected]
    for key, array in expected.items():
        np.testing.assert_array_equal(checkpoint.state[key.removeprefix("module.")], array)
    assert (checkpoint.architecture, checkpoint.epoch) == ("resnet-10", 61)


@pytest.mark.slow
@pytest.mark.parametrize("spec", [path.stem for path in sorted((GOLDEN / "specs").glob("*.json"))])
def test_every_golden_file_gives_the_arrays_of_torch(spec, write_golden_checkpoint):
    path = write_golden_checkpoint(spec)
    content, found = torch.load(path, mmap=True), read_checkpoint(path).state
    expected = {key.removeprefix("module."): tensor for key, tensor in content.get("state_dict", content).items()}
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_prefix_and_outer_dict_are_optional(tmp_path, prefix, is_wrapped):
    state = {f"{prefix}fuse.bias": torch.tensor([1.5])}
    path = save(tmp_path, {"state_dict": state, "arch": "resnet-18", "epoch": 3} if is_wrapped else state)
    checkpoint = read_checkpoint(path)
    np.testing.assert_array_equal(checkpoint.state["fuse.bias"], np.float32([1.5]))
    assert (checkpoint.architecture, checkpoint.epoch) == (("resnet-18", 3) if is_wrapped else (None, None))


def test_half_precision_becomes_single(tmp_path):
    state = {"a": torch.tensor([0.1], dtype=torch.bfloat16), "b": torch.tensor([0.1], dtype=torch.float64)}
    arrays = read_checkpoint(save(tmp_path, state)).state
    assert {array.dtype.name for array in arrays.values()} == {"float32"}


def test_tensors_of_torch_before_0_4_are_read(tmp_path, monkeypatch):
    tensor = torch.arange(6.0).reshape(2, 3)
    storage = torch.storage.TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True)
    old = (torch._utils._rebuild_tensor, (storage, 0, (2, 3), (3, 1)))
    monkeypatch.setattr(torch.Tensor, "__reduce_ex__", lambda self, protocol: old)
    path = save(tmp_path, {"fuse.weight": tensor}, _use_new_zipfile_serialization=False)
    monkeypatch.undo()
    assert b"_rebuild_tensor\n" in path.read_bytes()
    np.testing.assert_array_equal(read_checkpoint(path).state["fuse.weight"], tensor.numpy())


class Storage:
    """Stands for a part of a storage in a pickle."""


class Part(pickle.Pickler):
    """Pickles numbers 2 to 4 of a storage of six, as PyTorch before 0.4 did for tensors that share one."""

    def persistent_id(self, value):
        return ("storage", torch.FloatStorage, "0", "cpu", 6, ("1", 2, 3)) if isinstance(value, Storage) else None

    def reducer_override(self, value):
        if not isinstance(value, Part):
            return NotImplemented
        return torch._utils._rebuild_tensor_v2, (Storage(), 0, (3,), (1,), False, collections.OrderedDict())


def test_a_part_of_a_storage_is_read_where_it_begins(tmp_path):
    path = tmp_path / "saved.pth"
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        pickler = Part(file, protocol=2)
        pickler.dump({"fuse.weight": pickler})
        pickle.dump(["0"], file, protocol=2)
        file.write(struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes())
    assert torch.load(path)["fuse.weight"].tolist() == [2, 3, 4]
    assert read_checkpoint(path).state["fuse.weight"].tolist() == [2, 3, 4]


def test_numbers_of_a_big_endian_machine_are_swapped(tmp_path):
    path = save(tmp_path, {"a": torch.arange(3.0), "b": torch.arange(3)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            dtype = {"0": "f4", "1": "i8"}.get(name.rpartition("/data/")[2])
            swapped = np.frombuffer(content, dtype).byteswap().tobytes() if dtype else content
            archive.writestr(name, b"big" if name.endswith("byteorder") else swapped)
    assert {name: array.tolist() for name, array in read_checkpoint(path).state.items()} == {
        "a": [0, 1, 2], "b": [0, 1, 2],
    }  # fmt: skip


@pytest.mark.parametrize("is_zip", [True, False])
def test_file_that_would_run_code_is_refused_and_runs_none(tmp_path, is_zip):
    content = {"state_dict": {"a": torch.ones(1)}, "trap": RunsCode(tmp_path / "ran")}
    path = save(tmp_path, content, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(UserError, match=r"saved\.pth: refused, loading it would run code from the file \(\w+\.mkdir\)"):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()
    with path.open("rb") as file:  # the trap is one
        torch.load(file, weights_only=False)
    assert (tmp_path / "ran").exists()


def test_bare_pickle_that_would_run_code_runs_none(tmp_path):
    path = tmp_path / "saved.pth"
    path.write_bytes(pickle.dumps(RunsCode(tmp_path / "ran"), protocol=2))
    with pytest.raises(UserError, match="saved.pth: "):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_whole_module_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"refused.*torch\.nn\.modules\.linear\.Linear.*state_dict"):
        read_checkpoint(save(tmp_path, torch.nn.Linear(2, 2)))


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_truncated_file_is_one_clear_line(tmp_path, is_zip, share):
    path = save(tmp_path, {"a": torch.ones(30_000)}, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"^[^\n]*saved\.pth: not a PyTorch checkpoint, or damaged[^\n]*$"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"these are words\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99), pickle.dumps([1])])
def test_other_files_are_one_clear_line(tmp_path, content):
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^[^\n]*other\.pth: [^\n]*$"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [{"epoch": 3}, {"state_dict": {}}, {}, torch.ones(3), {"state_dict": {"a": "b"}}])
def test_checkpoint_without_a_state_dict_is_told(tmp_path, content):
    with pytest.raises(UserError, match=r"saved\.pth: .*state dict"):
        read_checkpoint(save(tmp_path, content))


def test_key_with_and_without_prefix_is_told(tmp_path):
    state = {"module.fuse.bias": torch.ones(1), "fuse.bias": torch.zeros(1)}
    with pytest.raises(UserError, match=r"fuse\.bias exists with and without"):
        read_checkpoint(save(tmp_path, state))


def test_a_tar_file_of_the_first_torch_is_told(tmp_path):
    with tarfile.open(tmp_path / "old.pth", "w") as tar:
        for name in ("storages", "tensors", "pickle"):
            tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(UserError, match=r"old\.pth: saved by PyTorch 0\.1\. Load it with a later PyTorch"):
        read_checkpoint(tmp_path / "old.pth")


def test_missing_file_and_directory_are_told(tmp_path):
    with pytest.raises(UserError, match=r"none\.pth: no such file"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(UserError, match="is a directory"):
        read_checkpoint(tmp_path)


def test_without_torch_files_are_read_and_writing_tells_how_to_get_it(tmp_path, monkeypatch):
    path = save(tmp_path, {"a": torch.ones(1)})
    monkeypatch.setitem(sys.modules, "torch", None)
    assert read_checkpoint(path).state["a"] == 1
    with pytest.raises(UserError, match=r"written\.pth: \.pth files need PyTorch to be written.*pip install torch"):
        write_checkpoint(tmp_path / "written.pth", PyTorchCheckpoint({}))


@pytest.mark.parametrize("is_zip", [True, False])
def test_views_and_number_formats_are_those_of_torch(tmp_path, is_zip):
    whole = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": whole.T,
        "strided": whole[1::2, ::3],
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "half": torch.tensor([0.1, 65504.0], dtype=torch.half),
        "bfloat16": torch.tensor([0.1, 3e38], dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "flags": torch.tensor([True, False]),
        "bytes": torch.tensor([-1, 1], dtype=torch.int8),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    if is_zip:
        state["uint16"] = torch.tensor([65535], dtype=torch.uint16)
        state["float8"] = torch.tensor([0.5]).to(torch.float8_e4m3fn)
    path = save(tmp_path, state, _use_new_zipfile_serialization=is_zip)
    found = read_checkpoint(path).state
    assert list(found) == list(state)
    for name, tensor in state.items():
        expected = tensor.detach().float() if tensor.is_floating_point() else tensor
        np.testing.assert_array_equal(found[name], expected.numpy(), err_msg=name)
        assert found[name].dtype == expected.numpy().dtype


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_checkpoints_carry_beside_the_state_dict_is_left_out(tmp_path, is_zip):
    content = {
        "state_dict": {"a": torch.ones(1)},
        "opt": argparse.Namespace(lr=0.1, path=Path("x"), sizes=[1, 2]),
        "best": np.float64(0.5),
        "curve": np.arange(3.0),
        "when": datetime.datetime(2020, 1, 1),
        "shape": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "seen": {"a", "b"},
        "counts": collections.defaultdict(int, a=1),
        "optimizer": torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1, momentum=0.9).state_dict(),
    }
    checkpoint = read_checkpoint(save(tmp_path, content, _use_new_zipfile_serialization=is_zip))
    assert list(checkpoint.state) == ["a"]
    assert checkpoint.has_optimizer


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "omegaconf.dictconfig.DictConfig",
        "easydict.EasyDict",
        "yacs.config.CfgNode",
    ],
)
def test_options_of_lightning_and_others_are_left_out(tmp_path, monkeypatch, name, is_zip):
    module, _, kind = name.rpartition(".")
    options = type(kind, (dict,), {"__module__": module})
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:number]), types.ModuleType(parts[number - 1]))
    setattr(sys.modules[module], kind, options)
    hyper = options(lr=0.1, inner=options(depth=50), kinds=[typing.Any])
    hyper.__dict__["flags"] = {"a": options()}
    content = {"state_dict": {"model.a": torch.ones(1)}, "hyper_parameters": hyper, "pytorch-lightning_version": "2.4"}
    checkpoint = read_checkpoint(save(tmp_path, content, _use_new_zipfile_serialization=is_zip))
    assert list(checkpoint.state) == ["a"]


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "module.module.", "_orig_mod.module.", "model."])
def test_prefixes_of_wrappers_are_left_out(tmp_path, prefix):
    assert list(read_checkpoint(save(tmp_path, {f"{prefix}fuse.bias": torch.ones(1)})).state) == ["fuse.bias"]


@pytest.mark.parametrize("key", ["fuse.module.bias", "_fsdp_wrapped_module.fuse._checkpoint_wrapped_module.bias"])
def test_wrappers_of_parts_are_left_out(tmp_path, key):
    state = {key: torch.ones(1), "module._orig_mod.fuse.weight": torch.ones(1)}
    assert list(read_checkpoint(save(tmp_path, state)).state) == ["fuse.bias", "fuse.weight"]


def test_an_averaged_model_of_torch_is_its_network(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 1)).state_dict()
    assert list(read_checkpoint(save(tmp_path, {"swa_model": averaged})).state) == ["weight", "bias"]


@pytest.mark.parametrize("names", ["model", "model_state_dict", "net", "ema", "checkpoint.model.state_dict"])
def test_nested_state_dicts_are_found(tmp_path, names):
    content = {"a": torch.ones(1)}
    for name in reversed(names.split(".")):
        content = {name: content, "epoch": 3}
    checkpoint = read_checkpoint(save(tmp_path, content))
    assert (list(checkpoint.state), checkpoint.epoch, checkpoint.others) == (["a"], 3, ())


def test_the_networks_own_weights_come_before_averaged_ones(tmp_path):
    path = save(tmp_path, {"ema": {"a": torch.zeros(1)}, "model": {"a": torch.ones(1)}})
    checkpoint = read_checkpoint(path)
    assert (checkpoint.state["a"], checkpoint.name, checkpoint.others) == (1, "model", ("ema",))
    assert read_checkpoint(path, "ema").state["a"] == 0
    with pytest.raises(UserError, match=r"saved\.pth: has no state dict 'avg', only ema, model\."):
        read_checkpoint(path, "avg")
    path = save(
        tmp_path, {"teacher": {"a": torch.zeros(1)}, "ema": {"a": torch.zeros(1)}, "pupil": {"a": torch.ones(1)}}
    )
    assert read_checkpoint(path).name == "pupil"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    state = {"fuse.bias": torch.tensor([1.0, value], dtype=torch.float64)}
    with pytest.raises(UserError, match=r"saved\.pth: fuse\.bias holds values that are not finite"):
        read_checkpoint(save(tmp_path, state))


def test_tensors_that_are_small_only_in_the_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="more numbers than the file has bytes"):
        read_checkpoint(save(tmp_path, {"a": torch.zeros(1).expand(10**9)}))


@pytest.mark.filterwarnings("ignore")  # torch would rather not have quantised tensors
@pytest.mark.parametrize("kind", ["quantised", "sparse"])
def test_tensors_without_a_plain_array_are_named(kind, tmp_path):
    ones = torch.ones(1)
    tensor = ones.to_sparse() if kind == "sparse" else torch.quantize_per_tensor(ones, 1.0, 0, torch.quint8)
    with pytest.raises(UserError, match=rf"saved\.pth: fuse\.bias cannot be read \(a {kind} tensor\)"):
        read_checkpoint(save(tmp_path, {"module.fuse.bias": tensor}))


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    path = save(tmp_path, {"a": torch.zeros(3, 5)}, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert content.count(b"K\x03K\x05") == 1
    path.write_bytes(content.replace(b"K\x03K\x05", b"K\x04K\x05"))
    with pytest.raises(UserError, match="damaged"):
        read_checkpoint(path)


def test_written_file_is_what_the_authors_code_reads(tmp_path):
    state = {"fuse.bias": np.float32([-6]), "bn1.num_batches_tracked": np.asarray(7, np.int64)}
    write_checkpoint(tmp_path / "new" / "written.pth", PyTorchCheckpoint(state, "resnet-50", 61))
    content = torch.load(tmp_path / "new" / "written.pth")
    assert (content["epoch"], content["arch"]) == (61, "resnet-50")
    assert list(content["state_dict"]) == ["module.fuse.bias", "module.bn1.num_batches_tracked"]
    assert content["state_dict"]["module.bn1.num_batches_tracked"].dtype == torch.int64
    assert content["state_dict"]["module.bn1.num_batches_tracked"].shape == ()
    assert os.listdir(tmp_path / "new") == ["written.pth"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 704 vs 598")])
def test_failed_write_leaves_the_old_file_alone(error, tmp_path, monkeypatch):
    path = tmp_path / "written.pth"
    path.write_bytes(b"old")

    def fail(content, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(UserError, match=r"cannot be written \((No space left|is the disk full)"):
        write_checkpoint(path, PyTorchCheckpoint({"a": np.ones(1, np.float32)}))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["written.pth"]
